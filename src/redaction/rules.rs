//! The forms of common secrets.
//!
//! Those with a prefix of their own are written anew after the rules of gitleaks (MIT; commit b58d3f1 of 2026-07-22, read
//! 2026-11-29); they take a token to its end, however long. It has none for crates.io, Docker, Figma, Groq, NuGet, Replicate,
//! Supabase, Tailscale, xAI and bot tokens of Discord: those are after tokens as they are seen, and no service was asked.
//! `usk_` is in the brain service's `SPEC.md` (read 2026-11-29). The last ones, after a name or in a header, are our own.

use regex::{Error, Regex};

use super::accept::{any, assigned, bare, credentials, key};

/// One form.
#[derive(Debug)]
pub(super) struct Rule {
    /// What it is called in its place. Several forms may have one name.
    pub(super) kind: &'static str,
    /// One of these stands in every text that has one, as it is written here. Where there are none it is always sought.
    pub(super) words: &'static [&'static str],
    /// The first group that takes part is the secret, or else all of it. `\b` is ASCII's.
    pub(super) pattern: &'static str,
    /// Whether what was found is a secret.
    pub(super) accept: fn(&str) -> bool,
}

impl Rule {
    /// The pattern, ready to search.
    pub(super) fn compile(&self) -> Result<Regex, Error> {
        // Unicode's word boundary makes the search many times slower.
        Regex::new(&self.pattern.replace(r"\b", r"(?-u:\b)"))
    }
}

const fn form(kind: &'static str, words: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { kind, words, pattern, accept: any }
}

/// All of them; where two find the same, the first names it.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // Clouds.
    form("aws-access-key", &["AKIA", "ASIA", "ABIA", "ACCA", "A3T"], r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}"),
    form("aws-secret-key", &["ws", "WS"], r#"(?i)aws[a-z_.-]{0,20}secret[a-z_.-]{0,20}["'\\]{0,3}\s{0,3}(?::=|=>|=|:)\s{0,3}["'\\]{0,3}([A-Za-z0-9/+]{40,})"#),
    form("aws-bedrock-key", &["ABSK", "bedrock-api-key-"], r"\bABSK[A-Za-z0-9+/]{100,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=%_-]{30,}"),
    form("azure-client-secret", &["Q~"], r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    form("azure-storage-key", &["AccountKey=", "SharedAccessKey="], r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})"),
    form("azure-sas-signature", &["sig="], r"[?&;]sig=([A-Za-z0-9%+/]{43,}={0,2})"),
    form("cloudflare-origin-ca-key", &["v1.0-"], r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{146,}"),
    form("digitalocean-token", &["_v1_"], r"do[opr]_v1_[0-9a-f]{64,}"),
    form("flyio-token", &["fo1_", "fm1", "fm2_"], r"\b(?:fo1_[A-Za-z0-9_-]{43,}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,}={0,3})"),
    form("google-api-key", &["AIza"], r"\bAIza[A-Za-z0-9_-]{35,}"),
    form("google-oauth-secret", &["GOCSPX-"], r"GOCSPX-[A-Za-z0-9_-]{28,}"),
    form("google-oauth-token", &["ya29.", "1//0"], r"\bya29\.[A-Za-z0-9_-]{20,}|\b1//0[A-Za-z0-9_-]{30,}"),
    form("heroku-token", &["HRKU-"], r"\bHRKU-[A-Za-z0-9_-]{40,}"),
    form("supabase-key", &["sbp_", "sb_secret_"], r"\b(?:sbp_[0-9a-f]{40,}|sb_secret_[A-Za-z0-9_-]{20,})"),
    form("tailscale-key", &["tskey-"], r"tskey-[a-z]{3,12}-[A-Za-z0-9-]{16,}"),
    // Code and its packages.
    form("artifactory-token", &["AKCp", "cmVmd"], r"\bAKCp[A-Za-z0-9]{69,}|\bcmVmd[A-Za-z0-9]{59,}"),
    form("atlassian-token", &["ATATT3", "ATCTT3", "ATBB"], r"\bAT(?:A|C)TT3[A-Za-z0-9_=-]{100,}|\bATBB[A-Za-z0-9]{28,}"),
    form("crates-token", &["cio"], r"\bcio[A-Za-z0-9]{32}\b"),
    form("docker-token", &["dckr_"], r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    form("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"gh[pousr]_[A-Za-z0-9_.-]{35,}[A-Za-z0-9_-]"),
    form("github-token", &["github_pat_"], r"github_pat_[A-Za-z0-9_]{36,}"),
    form("gitlab-token", &["gl", "GR1348941"], r"\bgl(?:pat|ptt|dt|ft|rt|rtr|soat|cbt|imt|agent|ffct|oas)-[A-Za-z0-9_.-]{19,}[A-Za-z0-9_-]|GR1348941[A-Za-z0-9_-]{20,}"),
    form("npm-token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36,}"),
    form("nuget-key", &["oy2"], r"\boy2[a-z0-9]{43}\b"),
    form("pypi-token", &["pypi-AgE"], r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    form("rubygems-key", &["rubygems_"], r"rubygems_[0-9a-f]{48,}"),
    // Models.
    form("anthropic-key", &["sk-ant-"], r"sk-ant-[A-Za-z0-9_-]{20,}"),
    form("groq-key", &["gsk_"], r"\bgsk_[A-Za-z0-9]{40,}"),
    form("huggingface-token", &["hf_", "api_org_"], r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    form("openai-key", &["sk-"], r"\bsk-(?:(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})"),
    form("perplexity-key", &["pplx-"], r"\bpplx-[A-Za-z0-9]{40,}"),
    form("replicate-token", &["r8_"], r"\br8_[A-Za-z0-9]{37,}"),
    form("unison-key", &["usk_"], r"\busk_[A-Za-z0-9_-]{12,}"),
    form("xai-key", &["xai-"], r"\bxai-[A-Za-z0-9]{70,}"),
    // Money, mail, talk.
    form("discord-bot-token", &[], r"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    form("mailchimp-key", &["-us"], r"\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    form("mailgun-key", &["key-"], r"\bkey-[0-9a-f]{32}\b"),
    form("sendgrid-key", &["SG."], r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,}"),
    form("shopify-token", &["shp"], r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32,}"),
    form("slack-token", &["xox", "xapp-"], r"\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{20,}"),
    form("slack-webhook", &["hooks.slack.com"], r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,}"),
    form("square-token", &["sq0"], r"\bsq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}"),
    form("stripe-key", &["_live_", "_test_", "_prod_", "whsec_"], r"\b(?:[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,})"),
    form("telegram-bot-token", &[":AA"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    form("twilio-key", &["SK"], r"\bSK[0-9a-f]{32}\b"),
    // Operations, and the rest.
    form("1password-token", &["ops_eyJ", "A3-"], r"\bops_eyJ[A-Za-z0-9+/]{100,}={0,3}|\bA3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}\b"),
    form("age-key", &["AGE-SECRET-KEY-"], r"AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58,}"),
    form("airtable-token", &["pat"], r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64,}"),
    form("databricks-token", &["dapi"], r"\bdapi[0-9a-f]{32,}(?:-[0-9])?"),
    form("doppler-token", &["dp."], r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    form("dynatrace-token", &["dt0"], r"\bdt0[a-z][0-9]{2}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64,}"),
    form("figma-token", &["fig"], r"\bfig(?:d|u|o|or)_[A-Za-z0-9_-]{30,}"),
    form("grafana-token", &["glc_", "glsa_"], r"\b(?:glc_[A-Za-z0-9+/]{32,}={0,3}|glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8,})"),
    form("linear-key", &["lin_"], r"lin_(?:api|oauth)_[A-Za-z0-9]{40,}"),
    form("newrelic-key", &["NRAK-"], r"\bNRAK-[A-Z0-9]{27,}"),
    form("notion-token", &["ntn_"], r"\bntn_[0-9]{11}[A-Za-z0-9]{35,}"),
    form("openshift-token", &["sha256~"], r"\bsha256~[A-Za-z0-9_-]{43,}"),
    form("planetscale-token", &["pscale_"], r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.-]{31,}[A-Za-z0-9_=-]"),
    form("postman-key", &["PMAK-"], r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34,}"),
    form("pulumi-token", &["pul-"], r"\bpul-[0-9a-f]{40,}"),
    form("sentry-token", &["sntrys_", "sntryu_"], r"\bsntry(?:s_[A-Za-z0-9+/=_-]{40,}|u_[0-9a-f]{64,})"),
    form("terraform-token", &[".atlasv1."], r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    form("vault-token", &["hvs.", "hvb.", "hvr."], r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    form("jwt", &["eyJ"], r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
    form("backchannel-invite", &["bch1-"], r"\bbch1-[A-Za-z0-9_-]{40,}={0,2}"),
    // After a name, or where only a secret can stand.
    Rule { kind: "url-password", words: &["://"], accept: assigned,
        pattern: r#"://[!-~&&[^/:@"'<>`]]{0,100}:([!-~&&[^/@"'<>`]]{1,200})@[A-Za-z0-9\[]"# },
    Rule { kind: "password", words: &["curl"], accept: assigned,
        pattern: r#"\bcurl\b[^\n]{0,200}\s(?:-u|--user)[ =]{0,2}["']?[!-~&&[^:"'$]]{1,100}:([!-~&&[^"']]{3,200})"# },
    Rule { kind: "authorization-header", words: &["uthorization", "UTHORIZATION"], accept: credentials,
        pattern: r#"(?i)\bauthorization["'\\]{0,3}\s{0,3}[:=]\s{0,3}["'\\]{0,3}(?:[a-z-]{3,20}\s{1,3})?([A-Za-z0-9._~+/=:-]{8,})"# },
    Rule { kind: "bearer-token", words: &["earer", "EARER"], accept: key,
        pattern: r"(?i)\bbearer\s{1,3}([A-Za-z0-9._~+/-]{20,}={0,2})" },
    Rule { kind: "cookie", words: &["ookie:", "OOKIE:"], accept: credentials,
        pattern: r#"(?i)\b(?:set-)?cookie:[ \t]{0,3}([!-~&&[^=;"']]{1,100}=[ !-~&&[^"']]{8,})"# },
    Rule { kind: "password", words: &["PASS", "PWD", "SECRET", "TOKEN", "KEY"], accept: assigned,
        pattern: r#"(?:PASSWORD|PASSWD|PASSPHRASE|(?:\b|_)PASS|PWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)(?:_(?:KEY|BASE|VALUE|[0-9]{1,2})){0,2}=["'\\]{0,2}([!-~&&[^"'`\\;,<>\[]][!-~&&[^"'`\\;<>]]{5,})"# },
    Rule { kind: "password", words: &[], accept: assigned,
        pattern: r#"(?i)(?:password|passwort|passwd|passphrase|_pass\b|\bpwd|_pwd)["'\]\\]{0,4}\s{0,5}(?::=|=>|==?|:)\s{0,5}(?:\\?"([^"\\\r\n]{6,})\\?"|\\?'([^'\\\r\n]{6,})\\?'|`([^`\r\n]{6,})`)"# },
    Rule { kind: "password", words: &[], accept: bare,
        pattern: r#"(?i)(?:password|passwort|passwd|passphrase|_pass\b|\bpwd|_pwd)(?:["'\]\\]{0,4}\s{0,5}(?::=|=>|==?|:)\s{0,5}|\s{1,3}is:?\s{1,3})([!-~&&[^"'`\\,;<>(){}\[\]$]][!-~&&[^"'`\\;<>(){}\[]]{5,}[(\[]?)"# },
    Rule { kind: "secret", words: &[], accept: key,
        pattern: r#"(?i)(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|credential)s?(?:[_-](?:key|base|value))?["'\]\\]{0,4}\s{0,5}(?::=|=>|==?|:)\s{0,5}["'`\\]{0,3}([A-Za-z0-9_.+/=~-]{10,}[(\[]?)"# },
];
