//! Django: the table `auth_user` as CSV (`\copy auth_user to 'users.csv' csv header`), or `manage.py dumpdata auth.user`.
//!
//! Sources: [`django.contrib.auth`](https://docs.djangoproject.com/en/stable/ref/contrib/auth/) and
//! [`dumpdata`](https://docs.djangoproject.com/en/stable/ref/django-admin/#dumpdata). Django does not know whether an address
//! was confirmed.

use super::{fields::Fields, parts, roles};
use crate::{
    Members, Options, Problem, Record,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: None, table: Some(Columns::Header(&["id", "password", "email"])) };

/// How a password begins with which no sign-in succeeds: `set_unusable_password`.
const UNUSABLE: char = '!';

pub(super) fn read(row: &mut Fields, options: &Options) -> Result<Record, Problem> {
    match row.object("fields")? {
        None => account(row, options),
        Some(members) => {
            let mut user = Fields::new(members);
            let record = dumped(row, &mut user, options);
            row.absorb(user);
            record
        }
    }
}

/// An object of `dumpdata`: the model, the primary key, and the columns in `fields`.
fn dumped(row: &mut Fields, user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let model = row.text("model")?.unwrap_or_default();
    // A project's own model of users has another name, but always ends so.
    if !model.ends_with("user") {
        return Err(Problem::invalid("model", "is not a model of users"));
    }
    if let Some(key) = row.value("pk") {
        user.insert("id".to_owned(), key);
    }
    account(user, options)
}

fn account(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let username = user.text("username")?;
    let address = user.text("email")?.or_else(|| username.clone().filter(|name| name.contains('@')));
    let mut record = parts::record(address)?;
    parts::keep_username(&mut record, username);
    record.external_id = user.text("id")?;
    record.id = parts::uuid(record.external_id.as_deref());
    record.email_confirmed = parts::is_confirmed(None, options);
    record.name = parts::full_name([user.text("first_name")?, user.text("last_name")?]);
    record.created_at = user.moment("date_joined");
    record.disabled = (user.flag("is_active")? == Some(false)).then(|| parts::disabled("inactive in Django", None));
    let stored = user.text("password")?.filter(|stored| !stored.starts_with(UNUSABLE));
    record.password = parts::hash("django", stored, Members::new(), options);
    if user.flag("is_superuser")? == Some(true) {
        let staff = roles::staff("is_superuser", "admin", user, options);
        roles::add(&mut record.roles, staff);
    }
    if user.flag("is_staff")? == Some(true) {
        user.note("`is_staff` gives no role: it only gives access to Django's admin site");
    }
    user.ignore(&["last_login"]);
    Ok(record)
}
