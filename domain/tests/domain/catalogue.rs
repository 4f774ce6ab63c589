use domain::base_model::Published;
use domain::{
    BaseModel, BaseModelCommand, BaseModelRejection, Catalogue, CatalogueCommand, CatalogueRejection as R,
    Digest, FeatureSchema,
};

use crate::given::{folded, given, given_nothing};
use crate::samples::*;

fn import(name: &str, tracks: u64, schema: FeatureSchema) -> CatalogueCommand {
    let (version, blob) = (Digest::of(name), Digest::of(name));
    CatalogueCommand::Import {
        version,
        tracks,
        schema,
        blob,
        source: Some("demo".into()),
        at: at(6),
    }
}

#[test]
fn the_first_import_freezes_the_schema() {
    given_nothing::<Catalogue>()
        .when(import("a", 10, schema()))
        .then([imported("a", schema())]);
    assert_eq!(
        folded::<Catalogue>([imported("a", schema())]).schema(),
        Some(&schema())
    );
}

#[test]
fn the_current_version_is_not_imported_again() {
    given::<Catalogue>([imported("a", schema())])
        .when(import("a", 10, schema()))
        .then_nothing();
    given::<Catalogue>([imported("a", schema()), imported("b", schema())])
        .when(import("a", 10, schema()))
        .then([imported("a", schema())]);
}

#[test]
fn the_same_features_with_other_constants_are_rejected() {
    let mut drifted = schema();
    drifted.features[0].mean += 0.1;
    given::<Catalogue>([imported("a", schema())])
        .when(import("b", 10, drifted))
        .then_rejected(R::SchemaMismatch);
}

#[test]
fn other_features_are_another_schema() {
    let other = FeatureSchema {
        features: vec![feature("valence", 0.4)],
    };
    given::<Catalogue>([imported("a", schema())])
        .when(import("b", 10, other.clone()))
        .then([imported("b", other)]);
}

#[test]
fn a_catalogue_without_tracks_or_usable_features_is_rejected() {
    given_nothing::<Catalogue>()
        .when(import("a", 0, schema()))
        .then_rejected(R::Empty);
    let mut flat = schema();
    flat.features[1].deviation = 0.0;
    let doubled = FeatureSchema {
        features: vec![feature("energy", 0.1), feature("energy", 0.2)],
    };
    for unusable in [FeatureSchema::default(), flat, doubled] {
        given_nothing::<Catalogue>()
            .when(import("a", 10, unusable))
            .then_rejected(R::UnusableSchema);
    }
}

#[test]
fn a_schema_is_named_by_all_of_its_content() {
    let mut drifted = schema();
    drifted.features[0].clip = 5.0;
    assert_ne!(schema().digest(), drifted.digest());
    assert_eq!(
        schema().digest().to_string(),
        "874729e94fae39d1f611d6f4f84fa23f60893c1e9eb47c2ad6d9d307f3c60a12"
    );
}

fn publish(kind: &str) -> BaseModelCommand {
    let (model, schema, blob) = (Digest::of("m"), schema().digest(), Digest::of("m"));
    BaseModelCommand::Publish {
        model,
        schema,
        kind: kind.into(),
        trained_on: "demo".into(),
        blob,
        at: at(7),
    }
}

#[test]
fn a_model_is_published_once_and_says_what_it_is() {
    let published = Published {
        model: Digest::of("m"),
        schema: schema().digest(),
        kind: "hnb".into(),
        trained_on: "demo".into(),
        blob: Digest::of("m"),
        published_at: at(7),
    };
    given_nothing::<BaseModel>()
        .when(publish("hnb"))
        .then([published.clone().into()]);
    given::<BaseModel>([published.into()])
        .when(publish("hnb"))
        .then_nothing();
    given_nothing::<BaseModel>()
        .when(publish(" "))
        .then_rejected(BaseModelRejection::Unexplained);
}

#[test]
fn a_model_that_was_current_before_is_published_again() {
    let published = |name: &str| Published {
        model: Digest::of(name),
        schema: schema().digest(),
        kind: "hnb".into(),
        trained_on: "demo".into(),
        blob: Digest::of(name),
        published_at: at(7),
    };
    given::<BaseModel>([published("m").into(), published("n").into()])
        .when(publish("hnb"))
        .then([published("m").into()]);
}
