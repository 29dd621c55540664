//! What the options change, source by source.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use formats::{Options, Row, Source, StaffRoles, rows};

fn read(source: Source, file: &str, options: &Options) -> Row {
    rows(source, file.as_bytes(), options).next().unwrap()
}

#[test]
fn the_import_confirms_only_addresses_of_which_the_source_says_nothing() {
    let told = Options { email_confirmed: true, ..Options::default() };
    for (source, file, said) in [
        (Source::JsonLines, r#"{"email":"a@x.org"}"#, None),
        (Source::JsonLines, r#"{"email":"a@x.org","email_confirmed":false}"#, Some(false)),
        (Source::JsonLines, r#"{"email":"a@x.org","email\u005fconfirmed":false}"#, Some(false)),
        (Source::JsonLines, r#"{"email":"a@x.org","email_confirmed":true}"#, Some(true)),
        // Our own export leaves the member out where it is false.
        (Source::JsonLines, r#"{"email":"a@x.org","state":{}}"#, Some(false)),
        (Source::JsonLines, r#"{"email":"a@x.org","email_confirmed":true,"state":{}}"#, Some(true)),
        (Source::Django, "id,password,email\n1,,a@x.org\n", None),
        (Source::Django, r#"[{"model":"auth.user","pk":1,"fields":{"email":"a@x.org"}}]"#, None),
        (Source::FlaskSecurity, "id,email\n1,a@x.org\n", None),
        (Source::FlaskSecurity, "email,confirmed_at\na@x.org,\n", Some(false)),
        (Source::FlaskSecurity, "email,confirmed_at\na@x.org,2024-01-02 03:04:05\n", Some(true)),
        (Source::FlaskSecurity, r#"{"email":"a@x.org","confirmed_at":null}"#, Some(false)),
        (Source::Kratos, r#"{"traits":{"email":"a@x.org"}}"#, None),
        (Source::Kratos, &kratos(r#"{"value":"+12025550123","verified":false,"via":"sms"}"#), None),
        (Source::Kratos, &kratos(r#"{"value":"A@x.org","verified":false,"via":"email"}"#), Some(false)),
        (Source::Kratos, &kratos(r#"{"value":"a@x.org","via":"email"}"#), Some(false)),
        (Source::Kratos, &kratos(r#"{"value":"a@x.org","verified":true,"via":"email"}"#), Some(true)),
        (Source::Keycloak, r#"[{"email":"a@x.org"}]"#, None),
        (Source::Keycloak, r#"[{"email":"a@x.org","emailVerified":false}]"#, Some(false)),
        (Source::Keycloak, r#"[{"email":"a@x.org","emailVerified":true}]"#, Some(true)),
        (Source::Auth0, r#"{"email":"a@x.org"}"#, None),
        (Source::Auth0, r#"{"email":"a@x.org","email_verified":false}"#, Some(false)),
        (Source::Auth0, r#"{"email":"a@x.org","email_verified":true}"#, Some(true)),
        (Source::Firebase, r#"[{"email":"a@x.org"}]"#, None),
        (Source::Firebase, r#"[{"email":"a@x.org","emailVerified":false}]"#, Some(false)),
        (Source::Firebase, r#"[{"email":"a@x.org","emailVerified":true}]"#, Some(true)),
        (Source::Supabase, "id,email\n1,a@x.org\n", None),
        (Source::Supabase, "id,email,email_confirmed_at\n1,a@x.org,\n", Some(false)),
        (Source::Supabase, "id,email,email_confirmed_at\n1,a@x.org,2024-01-02 03:04:05+00\n", Some(true)),
        (Source::Supabase, r#"{"id":"1","email":"a@x.org","email_confirmed_at":null}"#, Some(false)),
        // The admin API leaves the member out where it is null.
        (Source::Supabase, r#"{"id":"1","email":"a@x.org","app_metadata":{"provider":"email"}}"#, Some(false)),
        (Source::Clerk, "id,primary_email_address\n1,a@x.org\n", None),
        (Source::Clerk, &clerk(",A@x.org"), Some(false)),
        (Source::Clerk, &clerk("a@x.org,"), Some(true)),
        (Source::Cognito, "cognito:username,email\na,a@x.org\n", None),
        (Source::Cognito, "cognito:username,email,user_status\na,a@x.org,CONFIRMED\n", None),
        (Source::Cognito, "cognito:username,email,user_status\na,a@x.org,UNCONFIRMED\n", Some(false)),
        (Source::Cognito, "cognito:username,email,email_verified\na,a@x.org,false\n", Some(false)),
        (Source::Cognito, "cognito:username,email,email_verified\na,a@x.org,true\n", Some(true)),
    ] {
        let confirmed = |options| read(source, file, options).record.unwrap().email_confirmed;
        assert_eq!(confirmed(&told), said.unwrap_or(true), "{source}: {file}");
        assert_eq!(confirmed(&Options::default()), said.unwrap_or(false), "{source}: {file}");
    }
}

fn kratos(address: &str) -> String {
    format!(r#"{{"traits":{{"email":"a@x.org"}},"verifiable_addresses":[{address}]}}"#)
}

/// A row of Clerk with its verified and its unverified addresses.
fn clerk(addresses: &str) -> String {
    format!("id,primary_email_address,verified_email_addresses,unverified_email_addresses\n1,a@x.org,{addresses}\n")
}

#[test]
fn json_lines_keep_staff_roles_on_request_or_from_our_own_export() {
    let left_out = |role: &str| format!("the role `{role}` is left out: staff roles are not imported");
    let (drop, keep) = (Options::default(), Options { staff_roles: StaffRoles::Keep, ..Options::default() });
    let none: &[&str] = &[];
    for (members, options, roles, dropped) in [
        (r#""roles":["admin","editor","support"]"#, &drop, Some(&["editor"][..]), &["admin", "support"][..]),
        (r#""roles":["admin"]"#, &drop, None, &["admin"]),
        (r#""roles":["editor"]"#, &drop, Some(&["editor"]), none),
        (r#""roles":[]"#, &drop, Some(none), none),
        (r#""name":"A""#, &drop, None, none),
        (r#""roles":["admin"]"#, &keep, Some(&["admin"]), none),
        (r#""roles":["admin"],"state":{}"#, &drop, Some(&["admin"]), none),
        (r#""roles":["admin"],"state":{}"#, &keep, Some(&["admin"]), none),
    ] {
        let row = read(Source::JsonLines, &format!(r#"{{"email":"a@x.org",{members}}}"#), options);
        let expected = roles.map(|roles| roles.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(row.record.unwrap().roles, expected, "{members}");
        assert_eq!(row.notes, dropped.iter().map(|role| left_out(role)).collect::<Vec<_>>(), "{members}");
    }
}
