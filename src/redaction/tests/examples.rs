//! One secret of each kind at least, in the surroundings in which they come, and texts that only look so.

use std::collections::BTreeSet;

use super::super::rules::RULES;
use super::*;

/// A kind, and a secret of it; `|` is taken out.
const SECRETS: &[(&str, &str)] = &[
    ("1password-token", "A3-|ASWWYB-798JRYLJVD4-23DC2-86TVM-H43EB"),
    ("age-key", "AGE-SECRET-KEY-|1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQY"),
    (
        "airtable-token",
        "pat|14charsofname1.|0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("anthropic-key", "sk-|ant-api03-Zm9vYmFyYmF6cXV4_-Zm9vYmFyYmF6cXV4"),
    ("artifactory-token", "AKCp|8budTFpbypBqQbGJPz3pGCi28pPivfWczqjfYb9drAmd9LbRZbj6UpKFxJXA8ksWGc9fM"),
    (
        "atlassian-token",
        "ATATT3|xFfGF0T4JVjdmA8VeXkbTPcZsR6jXSLWvDMbhUrKkNDZVWEjUBqQhWRzZyfNKcGXBNxYTsjMEQeDPbbGZVJ3PNfwvsLJ9RHTjZdQYZ4G",
    ),
    ("aws-access-key", "AKIA|IOSFODNN7EXAMPLE"),
    ("aws-bedrock-key", "bedrock-api-key-|YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbA=="),
    ("azure-client-secret", "Abc|8Q~|defghijklmnopqrstuvwxyz0123456789"),
    ("backchannel-invite", "bch1|-eyJ1cmwiOiJodHRwczovL3JlbGF5LmV4YW1wbGUiLCJ0b2tlbiI6IngifQ"),
    (
        "cloudflare-origin-ca-key",
        "v1.0|-0123456789abcdef01234567-|0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01",
    ),
    ("crates-token", "cio|ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"),
    ("databricks-token", "dapi|0123456789abcdef0123456789abcdef"),
    ("digitalocean-token", "dop_v1|_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("discord-bot-token", "MTk4NjIyNDgzNDcxOTI1MjQ4|.Cl2FMQ.|ZnCjm1XVW7vRze4b7Cq4se7kKWs"),
    ("docker-token", "dckr_pat|_0123456789abcdefghijABCDEF-"),
    ("doppler-token", "dp.pt|.0123456789abcdefghijABCDEFGHIJabcdefghij012"),
    (
        "dynatrace-token",
        "dt0c01|.ST2EY72KQINMH574WMNVI7YN.|G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM",
    ),
    ("figma-token", "figd|_0123456789abcdefghijABCDEFGHIJabcdefghij"),
    ("flyio-token", "fo1|_0123456789abcdefghijABCDEFGHIJabcdefghij012"),
    ("github-token", "ghp|_0123456789abcdefghijABCDEFGHIJabcdef"),
    (
        "github-token",
        "github_pat|_11ABCDEFG0123456789ab_0123456789abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJabcdefghi",
    ),
    ("gitlab-token", "glpat|-0123456789abcdefABCD"),
    ("google-api-key", "AIza|SyB-0123456789abcdefghijABCDEFGHIJab"),
    ("google-oauth-secret", "GOCSPX|-0123456789abcdefghijABCDEFGH"),
    ("google-oauth-token", "ya29|.a0AfH6SMBx0123456789abcdefghij"),
    ("grafana-token", "glsa|_0123456789abcdefghijABCDEFGHIJab_0a1B2c3D"),
    ("groq-key", "gsk|_0123456789abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJab"),
    ("heroku-token", "HRKU|-AA0123456789abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJabcdefghi"),
    ("huggingface-token", "hf|_abcdefghijABCDEFGHIJabcdefghijABCD"),
    (
        "jwt",
        "eyJ|hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.|eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ),
    ("linear-key", "lin_api|_0123456789abcdefghijABCDEFGHIJabcdefghij"),
    ("mailchimp-key", "0123456789abcdef0123456789abcdef|-us12"),
    ("mailgun-key", "key|-0123456789abcdef0123456789abcdef"),
    ("newrelic-key", "NRAK|-0123456789ABCDEFGHIJABCDEFG"),
    ("notion-token", "ntn|_01234567890abcdefghijABCDEFGHIJabcdefghij01234"),
    ("npm-token", "npm|_0123456789abcdefghijABCDEFGHIJabcdef"),
    ("nuget-key", "oy2|0123456789abcdefghij0123456789abcdefghij012"),
    ("openai-key", "sk-|proj-0123456789abcdefghijABCDEFGHIJ_-abcdefghij"),
    ("openai-key", "sk-|0123456789abcdefghijT3BlbkFJABCDEFGHIJabcdefghij"),
    ("openshift-token", "sha256|~0123456789abcdefghijABCDEFGHIJabcdefghij012"),
    ("perplexity-key", "pplx|-0123456789abcdefghijABCDEFGHIJabcdefghij01234567"),
    ("planetscale-token", "pscale_tkn|_0123456789abcdefghijABCDEFGHIJab"),
    ("postman-key", "PMAK|-0123456789abcdef01234567-0123456789abcdef0123456789abcdef01"),
    ("pulumi-token", "pul|-0123456789abcdef0123456789abcdef01234567"),
    ("pypi-token", "pypi|-AgEIcHlwaS5vcmcCJDAxMjM0NTY3ODlhYmNkZWZnaGlqQUJDREVGR0hJSmFi"),
    ("replicate-token", "r8|_0123456789abcdefghijABCDEFGHIJabcdefg"),
    ("rubygems-key", "rubygems|_0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("sendgrid-key", "SG|.0123456789abcdefghijAB.0123456789abcdefghijABCDEFGHIJabcdefghij012"),
    ("sentry-token", "sntryu|_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("shopify-token", "shpat|_0123456789abcdef0123456789abcdef"),
    ("slack-token", "xoxb|-123456789012-123456789012-0123456789abcdefABCDEFGH"),
    ("slack-token", "xapp|-1-A0123456789-0123456789012-0123456789abcdef"),
    ("slack-webhook", "hooks.slack|.com/services/T01234567/B01234567/0123456789abcdefABCDEFGH"),
    ("square-token", "sq0atp|-0123456789abcdefghijAB"),
    ("stripe-key", "sk_live|_0123456789abcdefghijABCD"),
    ("supabase-key", "sbp|_0123456789abcdef0123456789abcdef01234567"),
    ("tailscale-key", "tskey|-auth-k0123456789CNTRL-0123456789abcdefghijABCDEFGHIJ"),
    ("telegram-bot-token", "123456789|:AAF0123456789abcdefghijABCDEFGHIJabc"),
    (
        "terraform-token",
        "0123456789abcd|.atlasv1.|0123456789abcdefghijABCDEFGHIJabcdefghij0123456789abcdefghijABCDEFG",
    ),
    ("twilio-key", "SK|0123456789abcdef0123456789abcdef"),
    ("unison-key", "usk_live|_0123456789abcdefghij"),
    ("vault-token", "hvs|.CAESIJ0123456789abcdefghijABCDEFGHIJ"),
    ("xai-key", "xai|-0123456789abcdefghijABCDEFGHIJabcdefghij0123456789abcdefghijABCDEFGHIJabcdefghij"),
];

/// A kind, what stands before the secret, the secret, what stands after it.
const NAMED: &[(&str, &str, &str, &str)] = &[
    ("authorization-header", "Authorization: Basic ", "dXNlcjpwYXNzd29yZA==", "\r\nAccept: */*"),
    ("authorization-header", r#"{"authorization": "Token "#, "0a1b2c3d4e5f", "\"}"),
    ("authorization-header", "-H 'authorization: ", "Abcdefgh12345678", "'"),
    ("aws-secret-key", "AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\n"),
    ("aws-secret-key", r#"{"aws_secret_access_key": ""#, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\"}"),
    ("azure-sas-signature", "?sv=2026-01-01&sig=", "0123456789abcdefghijABCDEFGHIJabcdefghij01%3D", "&se=x"),
    (
        "azure-storage-key",
        "AccountName=a;AccountKey=",
        "0123456789abcdefghijABCDEFGHIJabcdefghij0123456789abcdefghijABCDEFGHIJabcdefghij012345==",
        ";End",
    ),
    ("bearer-token", "send it as bearer ", "0123456789abcdefghijABCDEF", " please"),
    ("cookie", "Cookie: ", "session=0123456789abcdef; theme=dark", "\r\n"),
    ("password", "curl -sS -u admin:", "s3cr3t!pw", " example.org"),
    ("password", "export DB_PASSWORD=", "correcthorse", "\n"),
    ("password", "DB_PASSWORD=\"", "correct-horse", "\" ./run"),
    ("password", r#"{"password": ""#, "correct horse battery", "\"}"),
    ("password", r#"{\"password\": \""#, "correct-horse", r#"\"}"#),
    ("password", "passwd = '", "hunter!!", "'"),
    ("password", "password: ", "hunter22", "\nuser: root"),
    ("password", "the password is ", "hunter22!", " for now"),
    ("password", "config['password'] = '", "hunter!!", "'"),
    ("password", "SECRET_KEY_BASE=", "abcdefabcdefabcdef", "\n"),
    ("secret", "api_key = \"", "0123456789abcdef", "\""),
    ("secret", "client-secret: ", "Zm9vYmFy0123456789", "\n"),
    ("secret", r#""access_token":""#, "0a1b2c3d4e5f6g7h", "\""),
    ("secret", "//registry/:_authToken=", "550e8400-e29b-41d4-a716-446655440000", "\n"),
    ("url-password", "postgres://app:", "hunter2", "@db.example:5432/app"),
    ("url-password", "https://x-access-token:", "pw", "@example.org/a.git"),
];

/// What is no secret.
const NONE: &[&str] = &[
    "",
    "Please read the password policy, then tell me where the token is kept.",
    "password: required, secret: optional, token: string",
    "let token = next_token(); let secret = vault.read(\"db/1\");",
    "token = base64_encode2(value); api_key: build_key_v2[0]",
    "password = os.environ[\"DB_PASSWORD\"]; PASSWORD=$DB_PASSWORD TOKEN=$(cat token) SECRET=${SECRET}",
    "DB_PASSWORD=changeme SECRET_KEY=xxxxxxxx PASSWORD=********",
    "SECRET=/run/secrets/db-1 password: ~/keys/pw1.txt",
    "max_tokens: 200000, token: 1234567890123",
    "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567 and 550e8400-e29b-41d4-a716-446655440000",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "see https://example.org:8080/a@b and ssh://git@example.org/a.git and mailto:a@example.org",
    "task-0123456789abcdefghijABCDEFGHIJabcdefghij disk-usage risk-free desk-",
    "Authorization: Bearer <token>; authorization: required; Authorization: Basic credentials",
    "the bearer of this-is-a-long-name-without-a-digit",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "the line `-----BEGIN PRIVATE KEY-----` begins a key and `-----END PRIVATE KEY-----` ends it",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUO0123456789abcdefghijABCDEFGHIJabcdefghij01\n-----END CERTIFICATE-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE0123456789abcdefghijABCDEFGHIJabcdefgh you@example",
    "[redacted: password] PASSWORD=[redacted: password] token: [redacted: secret]",
    "quotes \" ' ` \\ --- front: matter\n---\nümläut 🦀 \u{0} \u{2028}",
];

#[test]
fn each_kind_is_replaced_and_nothing_around_it() {
    let mut kinds: BTreeSet<&str> = BTreeSet::from(["private-key"]);
    for (kind, example) in SECRETS {
        let secret = whole(example);
        for (before, after) in
            [("", ""), ("it is ", " now."), ("x = \"", "\";\n"), ("(`", "`)"), ("🦀", "\n")]
        {
            let redacted = redact(&format!("{before}{secret}{after}"));
            assert_eq!(redacted, format!("{before}[redacted: {kind}]{after}"));
        }
        kinds.insert(kind);
    }
    for (kind, before, secret, after) in NAMED {
        let redacted = redact(&format!("ümläut\n{before}{secret}{after}"));
        assert_eq!(redacted, format!("ümläut\n{before}[redacted: {kind}]{after}"));
        kinds.insert(kind);
    }
    let all = RULES.iter().map(|rule| rule.kind).chain([private_key::NAME]);
    assert_eq!(all.filter(|kind| !kinds.contains(kind)).collect::<Vec<_>>(), [""; 0]);
    assert!(RULES.iter().all(|rule| rule.compile().is_ok()));
    let page = include_str!("../../../docs/redaction.md");
    assert!(kinds.iter().all(|kind| page.contains(&format!("`{kind}`"))));
}

#[test]
fn what_only_looks_so_stays() {
    for text in NONE {
        let redaction = Redaction::default();
        let redacted = redaction.redact(text);
        assert!(matches!(redacted.text, Cow::Borrowed(same) if same == *text), "{}", redacted.text);
        assert!(redacted.found.is_empty() && redacted.found.total() == 0);
    }
}

#[test]
fn a_secret_is_replaced_wherever_it_stands_and_counted() {
    let redaction = Redaction::default();
    let key = whole("AKIA|IOSFODNN7EXAMPLE");
    let text = format!("PASSWORD=hunter22 {key}: log in with hunter22 (not Hunter22), xhunter22x {key}");
    let redacted = redaction.redact(&text);
    assert_eq!(
        redacted.text,
        "PASSWORD=[redacted: password] [redacted: aws-access-key]: log in with [redacted: password] (not Hunter22), \
         x[redacted: password]x [redacted: aws-access-key]"
    );
    assert_eq!(redacted.found.total(), 5);
    assert_eq!(redacted.found.to_string(), "aws-access-key (2), password (3)");
    assert_eq!(redacted.found.iter().collect::<Vec<_>>(), [("aws-access-key", 2), ("password", 3)]);
    assert_eq!(serde_json::to_string(&redacted.found).unwrap(), r#"{"aws-access-key":2,"password":3}"#);
    let mut both = redaction.redact("PASSWORD=other-one").found;
    both.extend(&redacted.found);
    assert_eq!(both.to_string(), "aws-access-key (2), password (4)");
    // A short one is part of words.
    assert_eq!(redact("http://a:pw@b and pwd"), "http://a:[redacted: url-password]@b and pwd");
}

#[test]
fn of_several_rules_the_first_names_it() {
    let token = whole("ghp|_0123456789abcdefghijABCDEFGHIJabcdef");
    let text =
        format!("curl -H 'Authorization: Bearer {token}' https://x:{token}@example.org GITHUB_TOKEN={token}");
    assert_eq!(
        redact(&text),
        "curl -H 'Authorization: Bearer [redacted: github-token]' https://x:[redacted: github-token]@example.org \
         GITHUB_TOKEN=[redacted: github-token]"
    );
}

#[test]
fn private_keys_are_replaced_whole() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key =
        |name: &str| whole(&format!("-----BEGIN| {name}-----\n{line}\n{line}\nAbc=\n-----END| {name}-----"));
    for name in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        assert_eq!(redact(&format!("a\n{}\nb", key(name))), "a\n[redacted: private-key]\nb", "{name}");
    }
    let key = key("PRIVATE KEY");
    for changed in [
        key.replace('\n', "\r\n"),
        key.replace('\n', "\\n"),
        key.replace('\n', "\n    "),
        key.replace('\n', "\n> "),
        key.replace('\n', "\n+"),
        key.replace('\n', "\\n\" +\n    \""),
        key.replacen(
            '\n',
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n",
            1,
        ),
    ] {
        assert_eq!(redact(&format!("a {changed} b")), "a [redacted: private-key] b", "{changed}");
    }
    // Its end is cut off, or another begins before it.
    let cut = &key[..key.find("\n-----END").unwrap()];
    assert_eq!(redact(&format!("{cut}\n\nThat is it.")), "[redacted: private-key]\n\nThat is it.");
    assert_eq!(redact(&format!("{cut}\n{key} b")), "[redacted: private-key]\n[redacted: private-key] b");
}
