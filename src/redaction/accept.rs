//! Whether what stands where a secret could stand is one. A name such as `password` says little: what follows it may be a
//! word of a sentence, a variable, or a call.

/// Values that stand for a secret.
const PLACEHOLDERS: &[&str] = &[
    "changeit",
    "changeme",
    "default",
    "example",
    "string",
    "str",
    "hidden",
    "masked",
    "none",
    "null",
    "optional",
    "passphrase",
    "passwd",
    "password",
    "placeholder",
    "redacted",
    "required",
    "secret",
    "token",
    "undefined",
    "unknown",
    "false",
    "true",
];

/// Bits for each character below which a key is no key.
const LEAST_ENTROPY: f64 = 3.0;

/// The form says enough.
pub(super) fn any(_: &str) -> bool {
    true
}

/// A password where one was assigned in quotes or to a variable of the shell.
pub(super) fn assigned(value: &str) -> bool {
    !is_placeholder(value)
}

/// A password without quotes: a word of a sentence has letters alone.
pub(super) fn bare(value: &str) -> bool {
    has_digit(value) && value.bytes().any(|byte| !byte.is_ascii_digit()) && !is_placeholder(value)
}

/// A key of no known form.
pub(super) fn key(value: &str) -> bool {
    has_digit(value)
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && entropy(value) >= LEAST_ENTROPY
        && !is_placeholder(value)
}

/// What follows a scheme in a header: no word of a sentence.
pub(super) fn credentials(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.as_bytes()[1..].iter().any(is);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    (has_digit(value) || is_mixed) && !is_placeholder(value)
}

fn has_digit(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let first = value.chars().next();
    value.chars().all(|letter| Some(letter) == first)
        || value.contains("[redacted")
        || PLACEHOLDERS.contains(&lower.as_str())
        || ["your", "<", "${", "$(", "{{", "%("].iter().any(|begin| lower.starts_with(begin))
        || is_variable(value)
        || is_call(value)
        || is_path(value)
        || value.contains("://")
}

/// `$NAME`, `%NAME%`, `env.NAME`, `os.environ`.
fn is_variable(value: &str) -> bool {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
    };
    let ends = |begin, end| value.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    ends("$", "").is_some_and(is_name)
        || ends("%", "%").is_some_and(is_name)
        || ["env.", "process.env", "os.environ", "secrets.", "vars."]
            .iter()
            .any(|begin| value.starts_with(begin))
}

/// `read_token(3)`: a name and a bracket.
fn is_call(value: &str) -> bool {
    let name = value.split(['(', '[']).next().unwrap_or_default();
    name.len() < value.len()
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte))
}

/// `/run/secrets/db-1`, `./key`, `~/key`: keys have capitals, paths seldom.
fn is_path(value: &str) -> bool {
    let is_step = |step: &str| {
        step.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    let rest = ["/", "./", "~/"].iter().find_map(|begin| value.strip_prefix(begin));
    rest.is_some_and(|rest| rest.split('/').all(is_step))
}

/// Shannon's, in bits for each byte.
#[expect(clippy::cast_precision_loss, reason = "counts of bytes of one text")]
fn entropy(value: &str) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = value.len() as f64;
    let of = |count: &usize| -(*count as f64 / length) * (*count as f64 / length).log2();
    counts.iter().filter(|count| **count > 0).map(of).sum()
}
