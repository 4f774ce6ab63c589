//! Ratings, plays, taste and tracks.

use serde_json::{Value, json};

use crate::common::{App, catalogue};

fn like() -> Value {
    json!({"rating": "like"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_is_recorded_with_the_tracks_description_and_read_back() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", "t5%2Fx%20y")
        .by(&ada.token)
        .json(like());
    let position = call.send().await.expect(204).position();
    let call = app
        .call("GET /v1/me/ratings")
        .by(&ada.token)
        .header("segue-min-position", position);
    let reply = call.header("prefer", "wait=10").send().await.expect(200);
    assert_eq!(reply.json()["items"][0]["track"], "t5/x y");
    assert_eq!(reply.json()["items"][0]["rating"], "like");
    assert_eq!(reply.header("preference-applied"), "wait=10");
    assert!(reply.position() >= position);
    let event = &app
        .log
        .read_after(eventing::Position(position - 1), 1)
        .await
        .unwrap()[0];
    let eventing::Payload::Open(payload) = app.keys.open_event(event).await.unwrap() else {
        panic!("sealed")
    };
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["described"]["z"].as_array().unwrap().len(), 12);
    assert_eq!(payload["described"]["artists"], json!(["Nobody"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rating_again_is_no_event() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    for _ in 0..3 {
        let call = app
            .call("PUT /v1/me/ratings/{track}")
            .with("track", "t1")
            .by(&ada.token)
            .json(like());
        call.send().await.expect(204);
    }
    for _ in 0..2 {
        let call = app
            .call("DELETE /v1/me/ratings/{track}")
            .with("track", "t1")
            .by(&ada.token);
        call.send().await.expect(204);
    }
    let stream = eventing::StreamId::new("listener", ada.id.uuid());
    assert_eq!(app.log.stream_head(&stream).await.unwrap().unwrap().version.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_track_is_not_rated() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let call = || {
        app.call("PUT /v1/me/ratings/{track}")
            .with("track", "t9")
            .by(&ada.token)
            .json(like())
    };
    call().send().await.problem(404, "unknown-track");
    app.import().await;
    call().send().await.problem(404, "unknown-track");
    let play = json!({"track": "t9", "duration_played_ms": 1});
    app.call("POST /v1/me/plays")
        .by(&ada.token)
        .json(play)
        .send()
        .await
        .problem(404, "unknown-track");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_ratings_have_a_result_each() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let rating = |track: &str, rating: &str| json!({"track": track, "rating": rating});
    let ratings = json!({"ratings": [rating("t1", "like"), rating("t9", "like"), rating("t2", "dislike")]});
    let reply = app
        .call("POST /v1/me/ratings")
        .by(&ada.token)
        .json(ratings)
        .send()
        .await
        .expect(200);
    let items = reply.json()["items"].clone();
    assert_eq!(
        (&items[0]["status"], &items[1]["status"], &items[2]["status"]),
        (&json!(204), &json!(404), &json!(204))
    );
    assert_eq!(items[1]["problem"]["type"], "/problems/unknown-track");
    app.settle().await;
    let page = app
        .call("GET /v1/me/ratings")
        .query("limit=1")
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        page["items"],
        json!([{"track": "t1", "rating": "like", "rated_at": page["items"][0]["rated_at"]}])
    );
    let next = format!("limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = app
        .call("GET /v1/me/ratings")
        .query(&next)
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(page["items"][0]["track"], "t2");
    assert!(page.get("next_cursor").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn none_or_too_many_ratings_are_refused() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let many: Vec<_> = (0..1_001)
        .map(|nth| json!({"track": nth.to_string(), "rating": "like"}))
        .collect();
    for ratings in [json!([]), json!(many)] {
        let call = app
            .call("POST /v1/me/ratings")
            .by(&ada.token)
            .json(json!({"ratings": ratings}));
        call.send().await.problem(422, "invalid-request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plays_and_ratings_add_up_to_a_taste() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let before = app
        .call("GET /v1/me/taste")
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!((&before["likes"], &before["features"]), (&json!(0), &json!([])));
    app.import().await;
    for track in ["t1", "t2"] {
        let call = app
            .call("PUT /v1/me/ratings/{track}")
            .with("track", track)
            .by(&ada.token)
            .json(like());
        call.send().await.expect(204);
    }
    let play = json!({"track": "t3", "duration_played_ms": 180_000, "played_at": "2026-01-02T03:04:05Z"});
    app.call("POST /v1/me/plays")
        .by(&ada.token)
        .json(play)
        .send()
        .await
        .expect(204);
    app.settle().await;
    let taste = app
        .call("GET /v1/me/taste")
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&taste["likes"], &taste["dislikes"], &taste["plays"]),
        (&json!(2), &json!(0), &json!(1))
    );
    let features = taste["features"].as_array().unwrap();
    assert_eq!(features.len(), 12);
    assert_eq!(features[0]["feature"], "danceability");
    // t1 and t2 are the least danceable of the catalogue.
    assert!(features[0]["like"]["mean"].as_f64().unwrap() < features[0]["dislike"]["mean"].as_f64().unwrap());
    let preference = &features[0]["preference"];
    assert!(
        preference["slope"].as_f64().unwrap() < 0.0 && preference["slope_deviation"].as_f64().unwrap() > 0.0
    );
    let artists = taste["artists"].as_array().unwrap();
    assert!(
        !artists.is_empty()
            && artists
                .iter()
                .all(|told| told["affinity"].as_f64().unwrap() > 0.0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_play_is_refused() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let tomorrow = (crate::common::now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let future = json!({"track": "t1", "duration_played_ms": 1, "played_at": tomorrow});
    let reply = app
        .call("POST /v1/me/plays")
        .by(&ada.token)
        .json(future)
        .send()
        .await
        .problem(422, "invalid-request");
    assert_eq!(reply.json()["errors"][0]["field"], "played_at");
    let endless = json!({"track": "t1", "duration_played_ms": 100_000_000_000_u64});
    let reply = app
        .call("POST /v1/me/plays")
        .by(&ada.token)
        .json(endless)
        .send()
        .await
        .problem(422, "invalid-request");
    assert_eq!(reply.json()["errors"][0]["field"], "duration_played_ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_are_found_by_name_and_artist_page_by_page() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let none = app
        .call("GET /v1/tracks")
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(none, json!({"items": []}));
    app.import().await;
    let found = app
        .call("GET /v1/tracks")
        .query("q=TIDE&limit=2")
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    let ids = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&found), ["t1", "t2"]);
    let next = format!("q=TIDE&limit=2&cursor={}", found["next_cursor"].as_str().unwrap());
    let found = app
        .call("GET /v1/tracks")
        .query(&next)
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(ids(&found), ["t3"]);
    assert!(found.get("next_cursor").is_none());
    let call = app
        .call("GET /v1/tracks")
        .query("cursor=never-given")
        .by(&ada.token);
    call.send().await.problem(400, "invalid-query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_has_its_features_in_their_own_units() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let call = || app.call("GET /v1/tracks/{id}").with("id", "t4").by(&ada.token);
    call().send().await.problem(404, "not-found");
    app.import().await;
    let track = call().send().await.expect(200).json();
    assert_eq!(track["name"], "Über den Dächern");
    assert_eq!(track["artists"], json!(["Zoë Lindt"]));
    assert_eq!(track["features"]["tempo"], json!(103.0));
    app.call("GET /v1/tracks/{id}")
        .with("id", "t9")
        .by(&ada.token)
        .send()
        .await
        .problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_catalogue_is_in_use_as_soon_as_it_is_imported() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let mut tracks = catalogue::TRACKS.to_vec();
    tracks.push(("t6", "New", "Newcomer"));
    app.import_this(&catalogue::of(&tracks)).await;
    let head = app.log.head().await.unwrap();
    let call = app
        .call("GET /v1/tracks/{id}")
        .with("id", "t6")
        .by(&ada.token)
        .header("segue-min-position", head);
    call.header("prefer", "wait=10").send().await.expect(200);
}
