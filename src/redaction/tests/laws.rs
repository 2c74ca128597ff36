//! What holds for every text, and how long it takes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::string::string_regex;

use super::super::rules::RULES;
use super::*;

/// Secrets of each form that is a form of its own, with its kind: made from the rule itself.
fn secret() -> impl Strategy<Value = (&'static str, String)> {
    let forms: Vec<_> = RULES
        .iter()
        .filter(|rule| rule.pattern.matches('(').count() == rule.pattern.matches("(?:").count())
        .map(|rule| {
            let pattern = string_regex(&rule.pattern.replace(r"\b", "")).unwrap();
            (Just(rule.kind), pattern).boxed()
        })
        .collect();
    assert!(forms.len() > 50);
    proptest::strategy::Union::new(forms)
}

/// Text such as agents write, without a secret.
fn prose() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zé]{1,12}",
        "[0-9]{1,8}",
        "[0-9a-f]{40}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "(/[a-z0-9_]{1,8}){1,5}\\.rs:[0-9]{1,4}",
        "https://[a-z]{3,9}\\.example/[a-z]{1,9}\\?[a-z]{1,5}=[0-9]{1,3}",
        "[a-z]{3,9}@[a-z]{3,9}\\.example",
        "v[0-9]\\.[0-9]{1,2}\\.[0-9]{1,2}",
        "let [a-z_]{3,9} = [a-z_]{3,9}\\([a-z]{0,5}\\);",
        "the (password|token|secret|api key|passphrase) (policy|is kept|of)",
        "---|[\"'`\\\\]|🦀|\\{\\}|\\[\\]|#[a-z]{1,9}|@[a-z]{1,9}",
    ];
    proptest::collection::vec((piece, prop_oneof![Just(" "), Just("\n"), Just(", ")]), 0..40).prop_map(
        |pieces| pieces.into_iter().fold(String::new(), |text, (piece, space)| text + &piece + space),
    )
}

/// Checks that nothing but the marks was changed: what is between them stands in the text, in its order.
fn check_outside(text: &str, redacted: &Redacted) {
    let mark = Regex::new(r"\[redacted: [a-z0-9-]+\]").unwrap();
    let pieces: Vec<&str> = mark.split(&redacted.text).collect();
    assert_eq!(pieces.len() - 1, redacted.found.total());
    let (first, last) = (pieces[0], pieces[pieces.len() - 1]);
    assert!(text.starts_with(first) && text.ends_with(last), "{text}\n{}", redacted.text);
    let mut at = 0;
    for piece in pieces {
        at += text[at..].find(piece).unwrap_or_else(|| panic!("{piece:?} is not in {text:?}")) + piece.len();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_no_secret_stays_byte_for_byte(text in prose()) {
        let redaction = Redaction::default();
        let redacted = redaction.redact(&text);
        prop_assert!(matches!(redacted.text, Cow::Borrowed(_)), "{}", redacted.text);
        prop_assert_eq!(&redacted.text, &text);
    }

    #[test]
    fn a_secret_is_gone_and_all_around_it_stays(
        before in prose(),
        (kind, secret) in secret(),
        after in prose(),
        (open, close) in prop_oneof![Just((" ", "\n")), Just(("\"", "\"")), Just(("(", ")")), Just(("`", "`")), Just(("=", ";"))],
    ) {
        let redaction = Redaction::default();
        let text = format!("{before}{open}{secret}{close}{after}x{secret}\n");
        let redacted = redaction.redact(&text);
        prop_assert!(!redacted.text.contains(&secret));
        prop_assert_eq!(&redacted.text, &format!("{before}{open}[redacted: {kind}]{close}{after}x[redacted: {kind}]\n"));
        prop_assert_eq!(redacted.found.total(), 2);
        let told = format!("{:?} {}", redacted.found, redacted.found);
        prop_assert!(!told.contains(&secret), "it is told");
        // What was replaced is not replaced again.
        prop_assert!(redaction.redact(&redacted.text).found.is_empty());
    }

    #[test]
    fn any_text_is_changed_at_its_secrets_alone(
        pieces in proptest::collection::vec(
            prop_oneof![
                3 => "\\PC{0,20}",
                2 => "[\"' \\n:=/@(),<-]{1,5}",
                2 => proptest::sample::select(vec![
                    "password", "PASSWORD=", "token: ", "secret", "api_key=", "://u:", "-----BEGIN PRIVATE KEY-----",
                    "-----END PRIVATE KEY-----", "Authorization: Bearer ", "Cookie: a=", "curl -u a:", "sk-", "eyJ", "AKIA",
                ]).prop_map(str::to_owned),
                2 => "[A-Za-z0-9+/]{1,70}",
                1 => secret().prop_map(|(_, secret)| secret),
            ],
            0..30,
        ),
    ) {
        let text = pieces.concat();
        check_outside(&text, &Redaction::default().redact(&text));
    }
}

#[test]
fn a_long_text_takes_no_longer_than_its_length() {
    const LONG: usize = 256 * 1024;
    let digits = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    let begin = "-----BEGIN PRIVATE KEY-----\n";
    let mut units: Vec<String> = [
        "a",
        " ",
        "é",
        "0",
        "\n",
        "-",
        "\"",
        "password=\"",
        "password='x \"",
        "password: ",
        "PASSWORD=x1y2z3 ",
        "://a:",
        "://a:b@c ",
        "curl ",
        "curl -u a:",
        "curl -u a:bcd ",
        "Authorization: ",
        "authorization: basic 1",
        "Cookie: a=",
        "bearer ",
        "AKIA",
        "eyJ",
        "eyJaaaaaaaaaa.",
        "sk-",
        "Q~",
        "aws",
        "awssecret",
        "token",
        "token: ",
        "secret=a1b2c3d4e5 ",
        "ghp_",
        "A1.",
        "Maaaaaaaaaaaaaaaaaaaaaaa.",
        begin,
        "-----END PRIVATE KEY-----\n",
        "PRIVATE KEY",
        "_v1_",
        "?sig=",
        "hf_",
        "gl",
        "patA",
        "0123456789abcdef",
    ]
    .map(str::to_owned)
    .to_vec();
    units.extend([
        digits.to_owned(),
        format!("{begin}{digits}"),
        format!("{begin}Proc-Type: 4\n"),
        prose_of_agents(),
    ]);
    let mut texts: Vec<String> = units.iter().map(|unit| unit.repeat(LONG / unit.len())).collect();
    // As many secrets as there is room for, each another.
    let mut many = String::new();
    for number in 0..LONG / 20 {
        write!(many, "PASSWORD=a{number:08} ").unwrap();
    }
    texts.push(many);
    let mut slowest = (Duration::ZERO, String::new());
    for text in texts {
        let redaction = Redaction::default();
        let begun = Instant::now();
        let redacted = redaction.redact(&text);
        let took = begun.elapsed();
        let unit: String = text.chars().take(30).collect();
        // A search that began anew at each of them would take several seconds and more.
        assert!(took < Duration::from_secs(1), "{took:?} for {unit:?}, {}", redacted.found);
        slowest = slowest.max((took, unit));
    }
    println!("the slowest of them: {slowest:?}");
}

/// A few lines as they are in messages.
fn prose_of_agents() -> String {
    "I moved the token check into `src/auth.rs:120` (commit 0a1b2c3d) and the tests pass. Please look at\n\
     https://example.org/pull/12, then tell @bob what the password policy should be for #deploy.\n"
        .to_owned()
}
