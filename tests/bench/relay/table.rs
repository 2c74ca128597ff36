//! The figures as they are printed: beside the first version's (2 cores, the same routes), and beside what they should be.

/// What a figure is.
#[derive(Clone, Copy)]
pub enum Unit {
    PerSecond,
    Milliseconds,
    Mebibytes,
}

/// What it was in the first version.
#[derive(Clone, Copy)]
pub enum Earlier {
    Was(f64),
    /// It was not measured, or was not there.
    Unknown,
}

/// What it should be.
#[derive(Clone, Copy)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    None,
}

pub fn heading() {
    println!("{:<44}{:>15}{:>15}{:>9}  aim", "", "", "first version", "ratio");
}

pub fn row(what: &str, figure: f64, unit: Unit, earlier: Earlier, aim: Aim) {
    let (earlier, ratio) = match (earlier, unit) {
        (Earlier::Unknown, _) => (String::new(), String::new()),
        // Always how many times better.
        (Earlier::Was(was), Unit::PerSecond) => (number(was, unit), format!("{:.1}", figure / was)),
        (Earlier::Was(was), _) => (number(was, unit), format!("{:.1}", was / figure)),
    };
    let aim = match aim {
        Aim::None => String::new(),
        Aim::AtLeast(least) => told("at least", number(least, unit), figure >= least),
        Aim::AtMost(most) => told("at most", number(most, unit), figure <= most),
    };
    let line = format!("{what:<44}{:>15}{earlier:>15}{ratio:>9}  {aim}", number(figure, unit));
    println!("{}", line.trim_end());
}

/// A line that explains those above it.
pub fn note(text: &str) {
    println!("    {text}");
}

fn told(bound: &str, aim: String, is_met: bool) -> String {
    format!("{bound} {aim}{}", if is_met { "" } else { ": MISSED" })
}

fn number(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{figure:.0} /s"),
        Unit::Milliseconds => format!("{figure:.2} ms"),
        Unit::Mebibytes => format!("{figure:.1} MiB"),
    }
}
