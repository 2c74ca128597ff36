//! Whose token is found where.

use super::*;

fn home(config: &str) -> (tempfile::TempDir, Config) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("config.json"), config).unwrap();
    let config = Config::load_from(place.path()).unwrap();
    (place, config)
}

fn env(variables: &[(&str, &str)]) -> Env {
    Env::made(variables, "/", jiff::Timestamp::UNIX_EPOCH)
}

const V1: &str = r#"{"agent":"bob","url":"https://relay.example.com","token":"secret-of-bob"}"#;

#[test]
fn the_first_versions_configuration_is_enough_for_its_own_agent() {
    let (_place, config) = home(V1);
    let found = Credentials::kept(&config, &"bob".parse().unwrap()).unwrap().unwrap();
    assert_eq!(found.token.expose(), "secret-of-bob");
    let error = Credentials::kept(&config, &"ann".parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::NoToken { .. }) && !error.to_string().contains("secret"));
}

#[test]
fn a_token_of_its_own_comes_first_and_is_nobody_elses() {
    let (place, config) = home(V1);
    let url: RelayUrl = "https://relay.example.com".parse().unwrap();
    let ann = Credentials {
        url,
        room: Some("r1".into()),
        agent: "ann".parse().unwrap(),
        token: Secret::parse("secret-of-ann").unwrap(),
        insecure: false,
        pending: false,
        brain: false,
    };
    ann.keep(place.path()).unwrap();
    let found = Credentials::kept(&config, &"ann".parse().unwrap()).unwrap().unwrap();
    assert_eq!((found.token.expose(), found.room.as_deref()), ("secret-of-ann", Some("r1")));
    let elsewhere = Credentials { url: "https://other.example.com".parse().unwrap(), ..ann.clone() };
    assert_ne!(elsewhere.key(), ann.key());
    elsewhere.keep(place.path()).unwrap();
    let found = Credentials::kept(&config, &"ann".parse().unwrap()).unwrap().unwrap();
    assert_eq!(found.url, ann.url);
}

#[test]
fn a_relay_from_the_environment_needs_a_token_from_there() {
    let (_place, config) = home(V1);
    let bob = "bob".parse().unwrap();
    let only_url = env(&[("BACKCHANNEL_URL", "https://evil.example.com")]);
    assert!(matches!(Credentials::find(&config, &bob, &only_url), Err(Error::NoTokenInEnvironment)));
    let both = env(&[("BACKCHANNEL_URL", "https://e.example.com"), ("BACKCHANNEL_TOKEN", "t-of-env")]);
    assert_eq!(Credentials::find(&config, &bob, &both).unwrap().unwrap().token.expose(), "t-of-env");
    let local = env(&[("BACKCHANNEL_BACKEND", "local")]);
    assert!(Credentials::find(&config, &bob, &local).unwrap().is_none());
}

#[test]
fn what_others_can_read_is_refused_unless_its_person_said_so() {
    let (place, config) = home(r#"{"agent":"bob","url":"http://relay.example.com","token":"t"}"#);
    let bob: AgentName = "bob".parse().unwrap();
    assert!(matches!(Credentials::kept(&config, &bob), Err(Error::NotSecure(_))));
    let url = "http://relay.example.com".parse().unwrap();
    let token = Secret::parse("t").unwrap();
    let (agent, room) = (bob.clone(), None);
    let said = Credentials { url, room, agent, token, insecure: true, pending: false, brain: false };
    said.keep(place.path()).unwrap();
    assert!(Credentials::kept(&config, &bob).unwrap().is_some());
}

#[test]
fn a_damaged_file_is_told_without_what_is_in_it_and_keeps_no_other_agent_from_its_mail() {
    let (place, config) = home(V1);
    std::fs::create_dir(place.path().join(DIRECTORY)).unwrap();
    std::fs::write(place.path().join("credentials/x.json"), r#"{"token": secret"#).unwrap();
    let error = Credentials::kept(&config, &"ann".parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && !error.to_string().contains("secret"));
    assert!(Credentials::kept(&config, &"bob".parse().unwrap()).unwrap().is_some());
    assert_eq!(Credentials::all_kept(&config).unwrap().len(), 1);
}

#[test]
fn what_was_begun_goes_on_with_its_token_and_is_forgotten_only_while_it_is_pending() {
    let place = tempfile::tempdir().unwrap();
    let with = |token: &str| Credentials {
        url: "https://relay.example.com".parse().unwrap(),
        room: None,
        agent: "ann".parse().unwrap(),
        token: Secret::parse(token).unwrap(),
        insecure: false,
        pending: true,
        brain: false,
    };
    let (first, is_new) = with("one").begin(place.path()).unwrap();
    assert!(is_new);
    let (second, is_new) = with("two").begin(place.path()).unwrap();
    assert_eq!((second.token.expose(), is_new), ("one", false));
    Credentials { pending: false, ..first }.keep(place.path()).unwrap();
    second.forget(place.path());
    let (third, _) = with("three").begin(place.path()).unwrap();
    assert_eq!((third.token.expose(), third.pending), ("one", false));
    assert_eq!(std::fs::read_dir(place.path().join(DIRECTORY)).unwrap().count(), 1);
}

const V1_BRAIN: &str = r#"{"agent":"bob","backend":"brain","brainToken":"usk_of-v1","brainRoom":"team"}"#;

#[test]
fn the_first_versions_brain_is_enough_and_the_environment_comes_first() {
    let (place, config) = home(V1_BRAIN);
    let bob: AgentName = "bob".parse().unwrap();
    let found = Credentials::kept(&config, &bob).unwrap().unwrap();
    assert!(found.brain && found.url.as_str() == crate::spool::brain::URL);
    assert_eq!((found.token.expose(), found.room.as_deref()), ("usk_of-v1", Some("team")));
    assert!(found.root(place.path()).starts_with(place.path().join("brain")));
    let variables = env(&[("UNISON_TOKEN", "usk_of-env"), ("BACKCHANNEL_ROOM", "other")]);
    let found = Credentials::find(&config, &bob, &variables).unwrap().unwrap();
    assert_eq!((found.token.expose(), found.room.as_deref()), ("usk_of-env", Some("other")));
    let kept = Credentials { token: Secret::parse("usk_kept").unwrap(), room: Some("team".into()), ..found };
    kept.keep(place.path()).unwrap();
    assert_eq!(Credentials::kept(&config, &bob).unwrap().unwrap().token.expose(), "usk_kept");
    assert_eq!(Credentials::all_kept(&config).unwrap().len(), 1);
}

#[test]
fn a_brains_token_goes_where_it_was_issued_for_and_nowhere_else() {
    let (_place, config) = home(V1_BRAIN);
    let bob: AgentName = "bob".parse().unwrap();
    let elsewhere = env(&[("UNISON_API_URL", "https://evil.example.com")]);
    let error = Credentials::find(&config, &bob, &elsewhere).unwrap_err();
    assert!(matches!(error, Error::NoBrainTokenInEnvironment) && error.hint().is_some());
    let open = env(&[("UNISON_API_URL", "http://brain.example.com"), ("UNISON_TOKEN", "usk_x")]);
    let error = Credentials::find(&config, &bob, &open).unwrap_err();
    assert!(error.to_string().contains("not https") && !error.to_string().contains("usk_x"), "{error}");
    let strange = env(&[("BACKCHANNEL_ROOM", "../x"), ("UNISON_TOKEN", "usk_x")]);
    assert!(Credentials::find(&config, &bob, &strange).unwrap_err().to_string().contains("a room's name"));
    let (_place, relay) = home(V1);
    let brain = env(&[("BACKCHANNEL_BACKEND", "brain")]);
    let error = Credentials::find(&relay, &bob, &brain).unwrap_err();
    assert!(matches!(error, Error::NoBrainToken { .. }), "the relay's token is not the brain's: {error}");
}
