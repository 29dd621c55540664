//! What the files of each source hold, and how it becomes a [`Record`].

mod auth0;
mod clerk;
mod cognito;
mod django;
mod fields;
mod firebase;
mod flask_security;
mod keycloak;
mod kratos;
mod moment;
mod otp;
mod own;
mod parts;
mod passkeys;
mod roles;
mod supabase;

use fields::Fields;
pub(crate) use own::read as read_own;

use crate::{
    Options, Problem, Record, Row, Source,
    input::{Content, Layout, Unit},
};

/// How the files of another system are read.
pub(crate) struct Reader {
    /// What they look like.
    pub(crate) layout: Layout,
    /// What an account is. The names of the members that it does not take out become notes.
    read: Read,
}

type Read = fn(&mut Fields, &Options) -> Result<Record, Problem>;

impl Reader {
    /// The reader of a source. `None` for our own format, which is read in another way: there, what is unknown is refused.
    pub(crate) fn of(source: Source) -> Option<Self> {
        let (layout, read): (Layout, Read) = match source {
            Source::JsonLines => return None,
            Source::Cognito => (cognito::LAYOUT, cognito::read),
            Source::Auth0 => (auth0::LAYOUT, auth0::read),
            Source::Clerk => (clerk::LAYOUT, clerk::read),
            Source::Firebase => (firebase::LAYOUT, firebase::read),
            Source::Supabase => (supabase::LAYOUT, supabase::read),
            Source::Keycloak => (keycloak::LAYOUT, keycloak::read),
            Source::Kratos => (kratos::LAYOUT, kratos::read),
            Source::Django => (django::LAYOUT, django::read),
            Source::FlaskSecurity => (flask_security::LAYOUT, flask_security::read),
        };
        Some(Self { layout, read })
    }

    pub(crate) fn row(&self, unit: Unit, options: &Options) -> Row {
        let members = unit.content.and_then(Content::into_members);
        let (record, notes) = match members {
            Err(problem) => (Err(problem), Vec::new()),
            Ok(members) => {
                let mut fields = Fields::new(members);
                let record = (self.read)(&mut fields, options);
                // What was left out of a row that is refused says nothing.
                let notes = if record.is_ok() { fields.into_notes() } else { Vec::new() };
                (record, notes)
            }
        };
        Row { number: unit.number, record, notes }
    }
}
