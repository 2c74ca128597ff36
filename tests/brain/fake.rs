//! The faults of the brain of the tests are what they say: what is done, what is answered, what is noted.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::brain::{Brain, Fault, Gone, Hashes, On, Operation, Shape};
use crate::support::http::{Answer, Api};

const PATH: &str = "/private/backchannel/room/log/one.md";

fn put(api: &Api, path: &str, body: &str, hash: Option<&str>) -> std::io::Result<Answer> {
    let mut fields = json!({ "path": path, "bodyMd": body });
    if let Some(hash) = hash {
        fields["expectedContentHash"] = hash.into();
    }
    api.try_call("PUT", "/v1/brain/doc", Some(fields.to_string().as_bytes()))
}

fn doc(api: &Api) -> Answer {
    api.get(&format!("/v1/brain/doc?path={PATH}"))
}

fn list(api: &Api, limit: usize) -> Vec<Value> {
    let answer = api.get(&format!("/v1/brain/list?prefix=/private/backchannel/&limit={limit}")).ok();
    answer["documents"].as_array().unwrap().clone()
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn every_shape_is_as_it_says() {
    for shape in Shape::all() {
        let brain = Brain::with(shape);
        let api = brain.api();
        let written = put(&api, PATH, "body", None).unwrap().ok();
        let read = doc(&api).ok();
        assert_eq!(written, read);
        let document = if shape.is_wrapped { &read["document"] } else { &read };
        assert_eq!((&document["path"], &document["bodyMd"]), (&json!(PATH), &json!("body")));
        let is_field = |value: &Value| value.get("contentHash").is_some();
        assert_eq!(is_field(document), shape.hashes != Hashes::Absent);
        assert_eq!(document["contentHash"].is_string(), shape.hashes == Hashes::Given);
        let [entry] = &list(&api, 10)[..] else { panic!() };
        assert_eq!(entry["bodyMd"].is_string(), shape.has_bodies_in_lists);
        assert_eq!(is_field(entry), shape.has_hashes_in_lists && shape.hashes != Hashes::Absent);
        // Where there are no hashes, none is compared.
        let status = put(&api, PATH, "other", Some("0000000000000000")).unwrap().status;
        assert_eq!(status, if shape.hashes == Hashes::Given { 409 } else { 200 });
    }
}

#[test]
fn one_of_many_writers_with_one_hash_wins() {
    let brain = Brain::start();
    brain.put(PATH, "before");
    let hash = brain.document(PATH).unwrap().hash;
    let writers: Vec<_> = (0..20)
        .map(|number| {
            let (api, hash) = (brain.api(), hash.clone());
            thread::spawn(move || put(&api, PATH, &format!("writer {number}"), Some(&hash)).unwrap().status)
        })
        .collect();
    let mut statuses: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    assert_eq!(brain.document(PATH).unwrap().writes, 2);
    assert_eq!(brain.count(&On::write("/log/")), 20);
}

#[test]
fn a_write_with_the_hash_of_what_is_gone_is_answered_in_the_shape() {
    for (gone, status) in [(Gone::Conflict, 409), (Gone::NotFound, 404), (Gone::Written, 200)] {
        let brain = Brain::with(Shape { gone, ..Shape::default() });
        assert_eq!(put(&brain.api(), PATH, "x", Some("0123456789abcdef")).unwrap().status, status);
        assert_eq!(brain.document(PATH).is_some(), status == 200);
    }
}

#[test]
fn what_is_missing_is_answered_in_the_shape() {
    let brain = Brain::start();
    let api = brain.api();
    assert_eq!(doc(&api).status, 404);
    let delete = format!("/v1/brain/doc?path={PATH}");
    assert_eq!(api.delete(&delete).ok(), json!({ "deleted": false }));
    brain.shape(Shape { is_missing_null: true, is_missing_delete_an_error: true, ..Shape::default() });
    assert_eq!(doc(&api).ok(), Value::Null);
    assert_eq!(api.delete(&delete).status, 404);
    brain.put(PATH, "x");
    assert_eq!(api.delete(&delete).ok(), json!({ "deleted": true }));
    assert!(brain.documents().is_empty());
}

#[test]
fn an_answer_that_is_lost_leaves_what_was_done() {
    let faults = || [Fault::cut(), Fault::status(502), Fault::text(500), Fault::null(200)];
    for (fault, is_lost) in faults().into_iter().zip([true, false, false, false]) {
        let brain = Brain::start();
        let api = brain.api();
        brain.next(On::write("/log/"), fault.clone());
        assert_eq!(put(&api, PATH, "x", None).is_err(), is_lost);
        assert!(brain.documents().is_empty(), "{fault:?}");
        brain.next(On::write("/log/"), fault.clone().after_it_was_done());
        assert_eq!(put(&api, PATH, "x", None).is_err(), is_lost);
        assert_eq!(brain.document(PATH).unwrap().body, "x", "{fault:?}");
        // Both are over.
        assert_eq!(put(&api, PATH, "y", None).unwrap().status, 200);
        assert_eq!(brain.count(&On::any()), 3);
    }
}

#[test]
fn half_an_answer_is_no_answer() {
    let brain = Brain::start();
    let api = brain.api();
    brain.put(PATH, &"x".repeat(150_000));
    brain.next(On::read("/log/"), Fault::half());
    let error = api.try_call("GET", &format!("/v1/brain/doc?path={PATH}"), None).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(brain.requests()[0].status, None);
    assert_eq!(doc(&api).ok()["bodyMd"].as_str().unwrap().len(), 150_000);
}

#[test]
fn what_is_held_goes_on_when_it_is_released_even_if_nobody_waits() {
    let brain = Brain::start();
    let api = brain.api();
    brain.next(On::write("/log/"), Fault::held());
    let writer = thread::spawn({
        let api = api.clone();
        move || put(&api, PATH, "held", None).unwrap().status
    });
    brain.wait_until_held(1);
    assert!(brain.documents().is_empty());
    brain.release();
    assert_eq!(writer.join().unwrap(), 200);
    assert!(brain.remove(PATH));

    brain.next(On::write("/log/"), Fault::held());
    let mut stream = api.connect().unwrap();
    let body = json!({ "path": PATH, "bodyMd": "late" }).to_string();
    std::io::Write::write_all(
        &mut stream,
        (api.head("PUT", "/v1/brain/doc", Some(body.len()), "close") + &body).as_bytes(),
    )
    .unwrap();
    brain.wait_until_held(1);
    drop(stream);
    brain.release();
    // Asked again and again until the write has come: the wait is for the other request.
    let begun = Instant::now();
    while doc(&api).status == 404 {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(brain.document(PATH).unwrap().body, "late");
}

#[test]
fn faults_come_in_their_order_and_are_mended() {
    let brain = Brain::start();
    let api = brain.api();
    brain.next(On::list(""), Fault::busy("7"));
    brain.next_times(usize::MAX, On::any(), Fault::text(502));
    let busy = api.get("/v1/brain/list?prefix=/private/");
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("7")));
    for _ in 0..3 {
        let bad = api.get("/v1/auth/whoami");
        assert_eq!((bad.status, bad.header("content-type")), (502, Some("text/plain")));
    }
    brain.mend();
    let slow = Duration::from_millis(60);
    brain.next(On::whoami(), Fault::slow(slow));
    let begun = Instant::now();
    assert_eq!(api.get("/v1/auth/whoami").ok()["workspace"]["verified"], true);
    assert!(begun.elapsed() >= slow);
    let statuses: Vec<_> = brain.requests().iter().map(|asked| asked.status).collect();
    assert_eq!(brain.requests()[0].operation, Operation::List);
    assert_eq!(statuses, [Some(429), Some(502), Some(502), Some(502), Some(200)]);
}

#[test]
fn nobody_gets_in_without_a_token_or_past_its_scopes_and_users() {
    let brain = Brain::start();
    let reader = Api::of(brain.address, Some(&brain.token_of("reader", &["brain:read"])));
    let other = Api::of(brain.address, Some(&brain.token_of("other", &["brain:read", "brain:write"])));
    assert_eq!(doc(&Api::of(brain.address, None)).status, 401);
    assert_eq!(doc(&Api::of(brain.address, Some("usk_live_wrong"))).status, 401);
    let refused = put(&reader, PATH, "x", None).unwrap();
    assert_eq!((refused.status, message(&refused).contains("brain:write")), (403, true));
    brain.put(PATH, "private");
    assert_eq!(doc(&other).status, 404);
    brain.put("/workspace/shared.md", "shared");
    assert_eq!(other.get("/v1/brain/doc?path=/workspace/shared.md").ok()["bodyMd"], "shared");
    let api = brain.api();
    brain.revoke_tokens();
    assert_eq!(doc(&api).status, 401);
}

#[test]
fn what_breaks_the_contract_is_refused() {
    let brain = Brain::start();
    let api = brain.api();
    for (path, status) in [("/private/x", 400), ("/teams/x.md", 400), ("x.md", 400), ("/system/x.md", 403)] {
        assert_eq!(put(&api, path, "x", None).unwrap().status, status, "{path}");
    }
    assert_eq!(put(&api, PATH, &"x".repeat(200_001), None).unwrap().status, 400);
    assert_eq!(put(&api, PATH, &"ü".repeat(200_000), None).unwrap().status, 200);
    assert_eq!(api.try_call("PUT", "/v1/brain/doc", Some(b"{")).unwrap().status, 400);
    assert_eq!(api.get("/v1/brain/list?limit=many").status, 400);
    assert_eq!(api.get("/v1/brain/else").status, 404);
    for number in 0..60 {
        brain.put(&format!("/private/backchannel/room/inbox/a/{number:02}.md"), "x");
    }
    let all = list(&api, 1000);
    assert_eq!((all.len(), list(&api, 20).len()), (61, 20));
    assert_eq!(api.get("/v1/brain/list").ok()["documents"].as_array().unwrap().len(), 50);
    let paths: Vec<_> = all.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert!(!paths.is_sorted());
}
