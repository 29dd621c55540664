//! Roles of other systems as roles here.

use super::fields::{Fields, quoted};
use crate::{Options, StaffRoles};

/// The longest name of a role, in characters.
const LONGEST: usize = 32;

/// The roles whose holders are staff.
const STAFF: [&str; 2] = ["admin", "support"];

/// Names of roles in the form `[a-z][a-z0-9_-]{0,31}`, without those of staff unless the options keep them. What was changed or
/// left out is noted. `None` where none is left, so that the import's own default applies.
pub(crate) fn clean(names: Vec<String>, fields: &mut Fields, options: &Options) -> Option<Vec<String>> {
    let mut roles: Vec<String> = Vec::new();
    for name in names {
        let role = normalize(&name);
        if role.is_empty() {
            fields.note("a role without a letter in its name is left out");
        } else if is_dropped(&role, options) {
            fields.note(left_out(&role));
        } else {
            if role != name {
                fields.note(format!("the role `{}` is now `{role}`", quoted(&name)));
            }
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
    }
    (!roles.is_empty()).then_some(roles)
}

/// Whether a role is left out because it means staff.
pub(crate) fn is_dropped(role: &str, options: &Options) -> bool {
    options.staff_roles == StaffRoles::Drop && STAFF.contains(&role)
}

/// The note on a role that [`is_dropped`].
pub(crate) fn left_out(role: &str) -> String {
    format!("the role `{role}` is left out: staff roles are not imported")
}

/// The role of staff that a mark of another system means, if the options keep those.
pub(crate) fn staff(mark: &str, role: &str, fields: &mut Fields, options: &Options) -> Option<String> {
    match options.staff_roles {
        StaffRoles::Keep => Some(role.to_owned()),
        StaffRoles::Drop => {
            fields.note(format!("`{mark}` gives no role: staff roles are not imported"));
            None
        }
    }
}

/// Adds a role, if there is one to add.
pub(crate) fn add(roles: &mut Option<Vec<String>>, role: Option<String>) {
    if let Some(role) = role {
        let roles = roles.get_or_insert_default();
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
}

fn normalize(name: &str) -> String {
    let name: String = name
        .trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '_' { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_lowercase());
    let name = name.get(..LONGEST).unwrap_or(name);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Members;

    #[test]
    fn names_of_roles_are_made_to_fit() {
        for (name, role) in [
            ("editor", "editor"),
            (" Team Lead ", "team-lead"),
            ("ROLE_Editor", "role_editor"),
            ("2nd-line", "nd-line"),
            ("Admin!", "admin"),
            ("Übersetzer", "bersetzer"),
            ("日本", ""),
            ("", ""),
            ("a-name-that-is-longer-than-32-letters", "a-name-that-is-longer-than-32-le"),
        ] {
            assert_eq!(normalize(name), role, "{name}");
        }
    }

    #[test]
    fn staff_roles_come_only_when_asked_for() {
        let names = || ["Admin", "support", "editor", "Editor"].map(ToOwned::to_owned).to_vec();
        let mut fields = Fields::new(Members::new());
        assert_eq!(clean(names(), &mut fields, &Options::default()), Some(vec!["editor".to_owned()]));
        assert_eq!(fields.into_notes().len(), 3);

        let keep = Options { staff_roles: StaffRoles::Keep, ..Options::default() };
        let kept = clean(names(), &mut Fields::new(Members::new()), &keep);
        assert_eq!(kept.unwrap(), ["admin", "support", "editor"]);
    }
}
