//! Legal profiles as data: what the law of a time asks of the zones.

use serde::Deserialize;

/// A legal profile. Read from TOML; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The law that the days come from; for people.
    pub life_cycle: String,
    /// Days that an expired name stays published.
    pub days_active_after_expiry: u32,
    /// The last day after expiry on which a name is only suspended.
    pub last_suspended_day: u32,
    /// Days after which a name without name server is a candidate for revocation (art. 10.5).
    pub days_without_name_server: u32,
    /// What a target name does (art. 9.1.4).
    pub target_mode: TargetMode,
    /// Where the name servers of `home_labels` must stand (art. 6.4): a country of the delegated-stats file.
    pub home_country: String,
    /// The second-level labels bound by it.
    pub home_labels: Vec<String>,
    /// Whether a name server abroad rejects the name.
    pub home_mode: Mode,
    /// Who may register below a label.
    #[serde(default)]
    pub eligibility: Vec<Eligibility>,
}

/// Who may register below a second-level label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// The label; empty = directly below the top-level domain.
    pub label: String,
    /// The registrant classes allowed, in the words of the export.
    pub classes: Vec<String>,
    /// Whether others are rejected.
    pub mode: Mode,
}

/// Whether a rule decides or only tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It rejects.
    Enforce,
    /// It leaves a finding.
    Report,
}

/// What a row with a target and no name server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetMode {
    /// Nothing.
    Off,
    /// A CNAME to the target.
    Cname,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfilesFile {
    profile: Vec<Profile>,
}

impl Profile {
    /// Reads a file of profiles.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let file: ProfilesFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for profile in &file.profile {
            for class in profile.eligibility.iter().flat_map(|rule| &rule.classes) {
                if crate::registry::RegistrantClass::parse(class.as_bytes()).is_none() {
                    return Err(format!("profile '{}': registrant class '{class}' is not known", profile.name));
                }
            }
            if profile.last_suspended_day < profile.days_active_after_expiry {
                return Err(format!("profile '{}': the last suspended day lies before the first", profile.name));
            }
        }
        Ok(file.profile)
    }

    /// The profiles that come with the program.
    pub fn built_in() -> Vec<Self> {
        Self::parse_all(include_str!("../../zones/profiles.toml")).expect("the committed file is tested")
    }

    /// A profile that comes with the program, by name.
    pub fn named(name: &str) -> Option<Self> {
        Self::built_in().into_iter().find(|profile| profile.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_data() {
        let profile = Profile::named("92-2003").expect("built in");
        assert_eq!((profile.last_suspended_day, profile.home_mode, profile.target_mode), (25, Mode::Enforce, TargetMode::Off));
        assert!(Profile::named("147-2024").is_some() && Profile::named("1-2000").is_none());
        let text = include_str!("../../zones/profiles.toml");
        for (from, to, why) in [
            ("\"state\"", "\"stat\"", "registrant class"),
            ("last-suspended-day = 25", "last-suspended-day = 25\nlast = 1", "unknown field"),
            ("days-active-after-expiry = 0", "days-active-after-expiry = 26", "before the first"),
            ("\"enforce\"", "\"maybe\"", "maybe"),
        ] {
            let error = Profile::parse_all(&text.replace(from, to)).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}
