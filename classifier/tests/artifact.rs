//! A base model's artifact: content and digest are one to one, and nothing else is read.

use std::path::PathBuf;

use classifier::BaseModel;
use classifier::base::{BaseModelError, ClassPrior, CommonTaste};
use classifier::testing::any_bytes_as_base_model;
use domain::Digest;
use proptest::prelude::*;

fn class(mean: &[f64]) -> ClassPrior {
    ClassPrior {
        mean: mean.to_vec(),
        variance: vec![1e-6; mean.len()],
        kappa: vec![1e6; mean.len()],
    }
}

/// A model with one number of every kind that has a form of its own: whole, small, large, negative zero.
fn plain() -> BaseModel {
    BaseModel {
        format: 1,
        schema: Digest::of("schema"),
        kind: "hierarchical_naive_bayes".to_owned(),
        trained_on: "\"ratings\" of José.csv".to_owned(),
        like: class(&[0.1, -1e6, 5e-324]),
        dislike: class(&[-0.0, 1.0 / 3.0, 123_456.789]),
        nu: 30.0,
        prior_likes: 1e-5,
        prior_dislikes: 1.5,
        artist_prior: 0.5,
        genre_weight: None,
        half_life_days: None,
        common: None,
    }
}

fn tuned() -> BaseModel {
    plain().tuned(Some(0.25), Some(180.0)).unwrap()
}

fn common() -> BaseModel {
    let common = CommonTaste {
        linear: vec![0.125, -0.0, 1e6],
        quadratic: vec![-0.03, 1.0 / 3.0, 1e-7],
    };
    BaseModel {
        common: Some(common),
        ..tuned()
    }
}

fn common_of(model: &mut BaseModel) -> &mut CommonTaste {
    model.common.as_mut().expect("it has one")
}

fn text(model: &BaseModel) -> String {
    String::from_utf8(model.to_bytes()).unwrap()
}

#[track_caller]
fn refusal(bytes: impl AsRef<[u8]>) -> BaseModelError {
    any_bytes_as_base_model(bytes.as_ref());
    BaseModel::from_bytes(bytes.as_ref()).expect_err("it is refused")
}

/// The bytes of a model never change: playlists name it by their digest. A library that prints numbers in another way
/// fails here.
#[test]
fn the_bytes_are_those_of_the_first_day() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/artifacts/models");
    for (model, name, digest) in [
        (
            plain(),
            "format-1.json",
            "4fc8e726c9fc752804557c4912e10e1861243916c685a7923c3a7f56ae58a50f",
        ),
        (
            tuned(),
            "format-2.json",
            "ae742f3e927774a75636cb493b4f9e8f3d1a1e424a7cbf1217a812ace091b226",
        ),
        (
            common(),
            "format-2-common.json",
            "318cfac455157aefaa670ea655090bff1c6fc3d3cd29783eba3f8fd2b4de4c9f",
        ),
    ] {
        let recorded = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(text(&model), String::from_utf8_lossy(&recorded));
        assert_eq!(BaseModel::from_bytes(&recorded).unwrap(), model);
        assert_eq!(model.fingerprint().to_string(), digest, "{name}");
    }
}

#[test]
fn a_model_without_genre_weight_and_half_life_keeps_its_bytes() {
    assert_eq!(plain().tuned(None, None).unwrap().to_bytes(), plain().to_bytes());
    let only_weight = plain().tuned(Some(0.0), None).unwrap();
    assert_eq!(only_weight.format, 2);
    assert!(
        text(&only_weight).ends_with(",\"genre_weight\":0.0}"),
        "{}",
        text(&only_weight)
    );
    assert_eq!(only_weight.tuned(None, None).unwrap(), plain());
}

#[test]
fn another_format_is_named_whatever_else_it_has() {
    let later = text(&plain()).replacen("\"format\":1", "\"format\":3,\"news\":[]", 1);
    let error = refusal(later);
    assert!(matches!(error, BaseModelError::UnknownFormat(3)), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("format 3") && said.contains("formats 1 and 2"),
        "{said}"
    );
    for (model, format) in [(plain(), 2), (tuned(), 1)] {
        let error = refusal(BaseModel { format, ..model }.to_bytes());
        assert!(
            matches!(error, BaseModelError::WrongFormat { said, .. } if said == format),
            "{error:?}"
        );
    }
}

#[test]
fn only_the_canonical_form_is_read() {
    let canonical = text(&tuned());
    let spoilt = [
        canonical.replacen(":", ": ", 1),
        format!("{canonical}\n"),
        format!(" {canonical}"),
        canonical.replacen("\"nu\":30.0", "\"nu\":30", 1),
        canonical.replacen("\"nu\":30.0", "\"nu\":3e1", 1),
        canonical.replacen("\"nu\":30.0", "\"nu\":30.00000000000000000001", 1),
        canonical.replacen("José", "Jos\\u00e9", 1),
        canonical.replacen(
            "\"nu\":30.0,\"prior_likes\":0.00001",
            "\"prior_likes\":0.00001,\"nu\":30.0",
            1,
        ),
    ];
    for bytes in spoilt {
        assert_ne!(bytes, canonical, "the case changes something");
        let error = refusal(&bytes);
        let BaseModelError::NotCanonical(digest) = error else {
            panic!("{bytes}: {error:?}")
        };
        assert_eq!(digest, tuned().fingerprint(), "{bytes}");
    }
    let null = text(&plain()).replace(
        "\"artist_prior\":0.5",
        "\"artist_prior\":0.5,\"genre_weight\":null",
    );
    assert!(matches!(refusal(null), BaseModelError::NotCanonical(_)));
}

#[test]
fn what_is_no_model_is_unreadable() {
    let canonical = text(&plain());
    let spoilt = [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "[".repeat(100_000),
        format!("{canonical}{canonical}"),
        canonical.replacen("\"nu\":30.0", "\"nu\":30.0,\"nu\":30.0", 1),
        canonical.replacen("\"format\":1", "\"format\":1,\"format\":1", 1),
        canonical.replacen("\"nu\":30.0", "\"nu\":30.0,\"mu\":1.0", 1),
        canonical.replacen("\"kappa\"", "\"kapa\"", 1),
        canonical.replacen("\"nu\":30.0,", "", 1),
        canonical.replacen("30.0", "1e999", 1),
        canonical.replacen("30.0", "NaN", 1),
        canonical.replacen("30.0", "Infinity", 1),
        canonical.replacen("30.0", "null", 1),
        canonical.replacen("\"format\":1", "\"format\":1.0", 1),
        canonical.replacen("\"format\":1", "\"format\":-1", 1),
        canonical.replacen(&Digest::of("schema").to_string(), "beef", 1),
    ];
    for bytes in spoilt {
        assert_ne!(bytes, canonical, "the case changes something");
        let error = refusal(&bytes);
        assert!(
            matches!(error, BaseModelError::Unreadable(_)),
            "{bytes:.300}: {error:?}"
        );
    }
}

#[test]
fn numbers_that_cannot_be_computed_with_are_refused_by_their_name() {
    type Change = fn(&mut BaseModel);
    let changes: [(Change, &str); 20] = [
        (|model| model.nu = 2.0, "nu"),
        (|model| model.nu = 1e7, "nu"),
        (|model| model.like.mean[0] = 1e7, "like"),
        (|model| model.like.mean[0] = -1e7, "like"),
        (|model| model.like.variance[0] = 0.0, "like"),
        (|model| model.dislike.variance[2] = -1.0, "dislike"),
        (|model| model.dislike.kappa[1] = 0.0, "dislike"),
        (|model| model.dislike.kappa.truncate(1), "dislike"),
        (|model| model.like.variance.push(1.0), "like"),
        (
            |model| (model.like, model.dislike) = (class(&[]), class(&[])),
            "like",
        ),
        (|model| model.prior_likes = 0.0, "prior_likes"),
        (|model| model.prior_dislikes = 1e7, "prior_dislikes"),
        (|model| model.artist_prior = -0.5, "artist_prior"),
        (|model| model.kind = " ".to_owned(), "kind"),
        (|model| model.trained_on = "x".repeat(1_025), "trained_on"),
        (|model| model.genre_weight = Some(10.5), "genre_weight"),
        (|model| model.half_life_days = Some(0.5), "half_life_days"),
        (|model| common_of(model).linear[0] = 1e7, "common"),
        (|model| common_of(model).quadratic[2] = -1e7, "common"),
        (|model| common_of(model).quadratic.truncate(2), "common"),
    ];
    for (change, name) in changes {
        let mut model = common();
        change(&mut model);
        let error = refusal(model.to_bytes());
        assert!(
            matches!(error, BaseModelError::OutOfBounds { field, .. } if field == name),
            "{name}: {error:?}"
        );
    }
    for (genre_weight, half_life_days) in [
        (Some(-0.1), None),
        (Some(-0.0), None),
        (Some(f64::NAN), None),
        (None, Some(36_501.0)),
        (None, Some(f64::INFINITY)),
    ] {
        assert!(plain().tuned(genre_weight, half_life_days).is_err());
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-4.0..4.0f64, Just(0.0), Just(-0.0), -1e6..1e6f64]
}

fn prior(features: usize) -> impl Strategy<Value = ClassPrior> {
    let positive = || prop::collection::vec(prop_oneof![0.01..100.0f64, 1e-6..1e6f64], features);
    (prop::collection::vec(number(), features), positive(), positive()).prop_map(|(mean, variance, kappa)| {
        ClassPrior {
            mean,
            variance,
            kappa,
        }
    })
}

/// Any model that may be.
fn model() -> impl Strategy<Value = BaseModel> {
    let priors = (1..6usize).prop_flat_map(|features| (prior(features), prior(features)));
    let options = (
        prop::option::of(0.0..=10.0f64),
        prop::option::of(1.0..=36_500.0f64),
        any::<bool>(),
    );
    (
        priors,
        options,
        2.001..1e6f64,
        1e-6..1e6f64,
        "[a-z\"\\\\é\u{1}]{1,20}",
    )
        .prop_map(
            |((like, dislike), (genre_weight, half_life_days, has_common), nu, positive, kind)| {
                let common = has_common.then(|| CommonTaste {
                    linear: like.mean.clone(),
                    quadratic: dislike.mean.clone(),
                });
                let model = BaseModel {
                    common,
                    like,
                    dislike,
                    nu,
                    prior_likes: positive,
                    kind,
                    ..plain()
                };
                model.tuned(genre_weight, half_life_days).unwrap()
            },
        )
}

/// Other bytes are refused, or are another model with their own digest.
fn is_never_taken_for(model: &BaseModel, bytes: &[u8]) -> Result<(), TestCaseError> {
    any_bytes_as_base_model(bytes);
    if let Ok(read) = BaseModel::from_bytes(bytes) {
        prop_assert_eq!(read.fingerprint(), Digest::of(bytes));
        prop_assert_eq!(
            read.fingerprint() == model.fingerprint(),
            bytes == model.to_bytes()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_model_comes_back_from_its_bytes(model in model()) {
        let bytes = model.to_bytes();
        any_bytes_as_base_model(&bytes);
        let read = BaseModel::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.fingerprint(), Digest::of(&bytes));
        prop_assert_eq!(read, model);
    }

    #[test]
    fn a_changed_byte_is_refused_or_another_model(model in model(), at: prop::sample::Index, to: u8) {
        let mut bytes = model.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        is_never_taken_for(&model, &bytes)?;
    }

    #[test]
    fn bytes_left_out_or_put_in_are_refused_or_another_model(
        model in model(), from: prop::sample::Index, length in 0..8usize, put in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = model.to_bytes();
        let from = from.index(bytes.len());
        bytes.splice(from..(from + length).min(model.to_bytes().len()), put);
        is_never_taken_for(&model, &bytes)?;
    }

    #[test]
    fn a_model_that_was_cut_short_is_refused(model in model(), at: prop::sample::Index) {
        let bytes = model.to_bytes();
        refusal(&bytes[..at.index(bytes.len())]);
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        refusal(bytes);
    }
}
