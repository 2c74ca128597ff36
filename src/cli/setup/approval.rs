//! Whether agents may use our tools unasked: a person is asked once, and told what holds.

use super::Site;
use super::ask::{Questions, is_a_person_here};
use crate::cli::output;
use crate::harness::Manifest;
use crate::install::earlier::Earlier;
use crate::install::setup::Part;

/// Plans anew with our tools allowed in advance, where the person wants that: no agent decides it for its user.
pub(super) fn ask(
    questions: &Questions<'_>,
    parts: &mut Vec<Part>,
    with_approval: &dyn Fn() -> anyhow::Result<Vec<Part>>,
) -> anyhow::Result<()> {
    let is_harness = |part: &Part| Manifest::find(&part.id).is_some() && part.has_changes();
    let question = "Let agents use the tools of backchannel without asking you each time?";
    if !parts.iter().any(is_harness)
        || !is_a_person_here(questions.env)
        || !questions.confirm(question, false)?
    {
        return Ok(());
    }
    let picked: Vec<_> = parts.iter().map(|part| part.id.clone()).collect();
    *parts = with_approval()?;
    parts.retain(|part| picked.contains(&part.id));
    Ok(())
}

/// Says which harnesses ask before they let an agent use our tools, and how that is allowed in advance.
pub(super) fn tell(parts: &[Part], site: &Site) -> anyhow::Result<()> {
    let ground = site.ground(false);
    let asks = |part: &&Part| {
        let earlier =
            Manifest::find(&part.id).and_then(|manifest| Earlier::of(&manifest, &ground, &site.receipt));
        earlier.is_some_and(|earlier| !earlier.approve_tools)
    };
    let asking: Vec<_> = parts.iter().filter(asks).map(|part| part.title.as_str()).collect();
    if asking.is_empty() {
        return Ok(());
    }
    let (who, asks) = (asking.join(", "), if asking.len() == 1 { "asks" } else { "ask" });
    let text = format!(
        "\n{who} {asks} you before an agent uses our tools; bch setup --approve-tools allows them.\n"
    );
    Ok(output::print(&text)?)
}
