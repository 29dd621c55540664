//! Files that are not as they should be, and reading that goes on where it was.

use std::io::{BufReader, Read, repeat};

use formats::{MAX_ROW_BYTES, Options, Problem, Row, Source, rows, rows_after};
use proptest::prelude::*;

fn read(source: Source, file: impl AsRef<[u8]>) -> Vec<Row> {
    rows(source, file.as_ref(), &Options::default()).collect()
}

/// The rows in short: number, and email address or problem.
fn summary(rows: &[Row]) -> Vec<(u64, String)> {
    let text = |row: &Row| match &row.record {
        Ok(record) => record.email.clone(),
        Err(problem) => format!("! {problem}"),
    };
    rows.iter().map(|row| (row.number, text(row))).collect()
}

fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

#[test]
fn byte_order_marks_other_line_ends_and_blank_lines_do_not_matter() {
    let lines = "\u{feff}{\"email\":\"a@example.com\"}\r\n\r\n  \n{\"email\":\"b@example.com\"}";
    assert_eq!(summary(&read(Source::JsonLines, lines)), pairs(&[(1, "a@example.com"), (4, "b@example.com")]));

    let table = "\u{feff}id,password,email\r\n1,,a@example.com\r\n\r\n2,,b@example.com\r\n";
    assert_eq!(summary(&read(Source::Django, table)), pairs(&[(2, "a@example.com"), (4, "b@example.com")]));

    let list = "\u{feff} [ {\"email\":\"a@example.com\"},\r\n {\"email\":\"b@example.com\"} ]\r\n";
    assert_eq!(summary(&read(Source::Auth0, list)), pairs(&[(1, "a@example.com"), (2, "b@example.com")]));
}

#[test]
fn a_quoted_field_may_have_several_lines() {
    let table = "id,password,email,first_name\n1,,a@example.com,\"Ada\nof \"\"London\"\", UK\"\n2,,b@example.com,B\n";
    let rows = read(Source::Django, table);
    assert_eq!(summary(&rows), pairs(&[(2, "a@example.com"), (4, "b@example.com")]));
    assert_eq!(rows[0].record.as_ref().unwrap().name.as_deref(), Some("Ada\nof \"London\", UK"));
}

#[test]
fn a_bad_row_does_not_hide_the_next() {
    let lines = [
        &b"{\"email\":\"a@example.com\"}"[..],
        b"not json",
        b"[1]",
        b"\"text\"",
        b"{\"email\":\"\xff\"}",
        b"{\"email\":\"b@example.com\"} {}",
        b"{\"email\":\"b@example.com\"",
        b"{}",
        b"{\"email\":\"c@example.com\"}",
    ]
    .join(&b'\n');
    assert_eq!(
        summary(&read(Source::JsonLines, lines)),
        pairs(&[
            (1, "a@example.com"),
            (2, "! not JSON: syntax error at column 2"),
            (3, "! expected an object"),
            (4, "! expected an object"),
            (5, "! not UTF-8"),
            (6, "! not JSON: syntax error at column 27"),
            (7, "! not JSON: ends too early at column 24"),
            (8, "! missing member `email`"),
            (9, "c@example.com"),
        ])
    );

    let table = "id,password,email\n1,,a@example.com\n2,,b@example.com,more\n3,,\n4,,d@example.com\n";
    assert_eq!(
        summary(&read(Source::Django, table)),
        pairs(&[
            (2, "a@example.com"),
            (3, "! has 4 fields, the header has 3"),
            (4, "! has no email address"),
            (5, "d@example.com"),
        ])
    );

    let list =
        r#"{"users": [{"email": "a@example.com"}, 7, {"email": [1}], {"email": "x" "y"}, {"email": "b@example.com"}]}"#;
    assert_eq!(
        summary(&read(Source::Firebase, list))[..2],
        pairs(&[(1, "a@example.com"), (2, "! is not a JSON object")])
    );
    let list = r#"{"users": [{"email" "x"}, {"email": "b@example.com"}], "more": {"users": []}}"#;
    assert_eq!(
        summary(&read(Source::Firebase, list)),
        pairs(&[(1, "! not JSON: syntax error at column 10"), (2, "b@example.com")])
    );
}

#[test]
fn an_invalid_member_is_named_without_its_value() {
    for (members, expected) in [
        (r#""roles":"hunter2""#, "roles: expected a list"),
        (r#""roles":["editor",7]"#, "roles[1]: expected a string"),
        (r#""role":"editor""#, "role: unknown member `role`, expected one of `version`"),
        (r#""email_confirmed":"hunter2, expected less""#, "email_confirmed: expected a boolean"),
        (r#""name":"a","name":"hunter2""#, "duplicate member `name`"),
        (r#""version":2"#, "version: version 2 of the format is not supported, only version 1 is"),
        (r#""version":"hunter2""#, "version: expected a whole number"),
        (r#""password":"hunter2""#, "password: expected an object"),
        (r#""password":{"hunter2":1}"#, "password: unknown member, expected one of `system`"),
        (r#""password":{"system":"django"}"#, "password: a password must be exactly one of"),
        (r#""password":{"system":"django","stored":["hunter2"]}"#, "password: expected a string"),
        (
            r#""password":{"endpoint":{"username":"a"},"stored":"hunter2"}"#,
            "password: a password must be exactly one of",
        ),
        (r#""totp":["hunter2"]"#, "totp: expected an object"),
        (r#""passkeys":[["a","b"]]"#, "passkeys[0]: expected an object"),
        (r#""totp":{"secret":"hunter2","digits":7}"#, "totp: a code must have 6 or 8 digits"),
        (r#""totp":{"secret":"hunter2","period":0}"#, "totp: a period must be at least one second"),
        (r#""totp":{"secret":"hunter2","algorithm":"hunter2"}"#, "totp: unknown value, expected one of `SHA1`"),
        (r#""recovery_codes":{"codes":["hunter2"],"sha256":[]}"#, "recovery_codes: recovery codes must be either"),
        (r#""passkeys":[{"public_key":"a"}]"#, "passkeys[0]: missing member `id`"),
    ] {
        let rows = read(Source::JsonLines, format!(r#"{{"email":"a@example.com",{members}}}"#));
        let problem = rows[0].record.as_ref().unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{members}: {problem}");
        assert!(!problem.contains("hunter2"), "{members}: {problem}");
    }
}

#[test]
fn values_of_other_systems_are_named_without_repeating_them() {
    for (source, row, expected) in [
        (Source::Auth0, r#"{"email":{"hunter2":1}}"#, "email: is not text"),
        (
            Source::Auth0,
            r#"{"email":"a@example.com","email_verified":"hunter2"}"#,
            "email_verified: is neither true nor false",
        ),
        (Source::Auth0, r#"{"email":"a@example.com","app_metadata":"hunter2"}"#, "app_metadata: is not a JSON object"),
        (Source::Keycloak, r#"[{"email":"a@example.com","credentials":"hunter2"}]"#, "credentials: is not a list"),
        (Source::Keycloak, r#"[{"realm":"a","users":[{"email":"a@example.com"}]}]"#, "users: this is a realm"),
        (Source::Django, r#"[{"model":"auth.group","fields":{"name":"hunter2"}}]"#, "model: is not a model of users"),
        (
            Source::Supabase,
            r#"{"email":"a@example.com","deleted_at":"2024-01-02"}"#,
            "deleted_at: the account was deleted",
        ),
    ] {
        let rows = read(source, row);
        let problem = rows[0].record.as_ref().unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{row}: {problem}");
        assert!(!problem.contains("hunter2"), "{row}: {problem}");
    }
}

#[test]
fn a_file_that_is_something_else_has_one_problem() {
    for (source, file, expected) in [
        (Source::Django, "", "the file is empty"),
        (Source::Keycloak, " \n ", "the file is empty"),
        (Source::Keycloak, "id,email\n", "the file is not JSON"),
        (Source::Auth0, "Id,Email\n", "the file is not JSON"),
        (Source::Keycloak, "{\"realm\":\"a\"}", "the file has no list `users`"),
        (Source::Keycloak, "{\"users\":{}}", "the file has no list `users`"),
        (Source::Keycloak, "{\"users\" []}", "the file is not JSON"),
        (Source::Keycloak, "{\"realm\":\"a\",", "the file ends in the middle"),
        (Source::Firebase, "{\"users\":[}", "the file is not JSON"),
        (Source::Django, "id,username,email\n", "the header has no column `password`"),
        (Source::Django, "id,password,email,id\n", "the header has a duplicate column"),
        (Source::Clerk, "email\na@example.com\n", "the header has no column `id`"),
    ] {
        let rows = read(source, file);
        assert_eq!(rows.len(), 1, "{file}");
        let problem = rows[0].record.as_ref().unwrap_err();
        assert!(problem.ends_file() && problem.to_string() == expected, "{file}: {problem}");
    }
    let utf16 = read(Source::JsonLines, b"\xff\xfe{\0}\0");
    assert_eq!(summary(&utf16), pairs(&[(1, "! the file is UTF-16, but must be UTF-8")]));
    assert!(read(Source::JsonLines, "").is_empty(), "an export without accounts has no lines");
}

#[test]
fn what_was_read_before_a_file_breaks_off_counts() {
    let list = r#"{"users": [{"email": "a@example.com"}, {"email": "b@exa"#;
    assert_eq!(
        summary(&read(Source::Firebase, list)),
        pairs(&[(1, "a@example.com"), (2, "! the file ends in the middle")])
    );
}

#[test]
fn a_row_that_is_too_long_is_a_problem_and_no_memory() {
    let long = "x".repeat(MAX_ROW_BYTES);
    let lines = format!("{{\"email\":\"{long}\"}}\n{{\"email\":\"b@example.com\"}}\n");
    assert_eq!(summary(&read(Source::JsonLines, lines)), pairs(&[(1, "! longer than 1 MiB"), (2, "b@example.com")]));

    let list = format!("[{{\"email\":\"{long}\"}}, {{\"email\":\"b@example.com\"}}]");
    assert_eq!(summary(&read(Source::Auth0, list)), pairs(&[(1, "! longer than 1 MiB"), (2, "b@example.com")]));

    let table = format!("id,password,email\n1,{long},a@example.com\n2,,b@example.com\n");
    assert_eq!(summary(&read(Source::Django, table)), pairs(&[(2, "! longer than 1 MiB"), (3, "b@example.com")]));

    let endless = BufReader::new("id,password,email\n1,\"".as_bytes().chain(repeat(b'x')));
    let options = Options::default();
    let problem = rows(Source::Django, endless, &options).next().unwrap().record.unwrap_err();
    assert!(problem.ends_file(), "{problem}");
}

#[test]
fn file_settings_apply_to_every_hash_without_its_own() {
    let options: Options = serde_json::from_str(r#"{"settings":{"pepper":"all","hashes":"devise"}}"#).unwrap();
    let lines = [
        r#"{"email":"a@example.com","password":{"system":"devise","stored":"h"}}"#,
        r#"{"email":"b@example.com","password":{"system":"devise","stored":"h","fields":{"pepper":"own"}}}"#,
        r#"{"email":"c@example.com","password":{"endpoint":{"username":"c"}}}"#,
    ]
    .join("\n");
    let peppers = rows(Source::JsonLines, lines.as_bytes(), &options).map(|row| {
        let password = serde_json::json!(row.record.unwrap().password);
        password.get("fields").map(ToString::to_string)
    });
    let expected = [Some(r#"{"pepper":"all"}"#), Some(r#"{"pepper":"own"}"#), None];
    assert_eq!(peppers.collect::<Vec<_>>(), expected.map(|fields| fields.map(ToOwned::to_owned)));
}

#[test]
fn rows_come_one_by_one_from_a_file_without_end() {
    /// Says the same again and again.
    struct Endless(&'static [u8], usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let read = (&self.0[self.1..]).read(buffer)?;
            self.1 = (self.1 + read) % self.0.len();
            Ok(read)
        }
    }
    let options = Options::default();
    for (source, beginning, row) in [
        (Source::JsonLines, "", "{\"email\":\"a@example.com\"}\n"),
        (Source::Keycloak, "{\"realm\":\"a\",\"users\":[", "{\"email\":\"a@example.com\"},"),
        (Source::Kratos, "[", "{\"traits\":{\"email\":\"a@example.com\"}},"),
        (Source::Django, "id,password,email\n", "1,,a@example.com\n"),
    ] {
        let file = BufReader::new(beginning.as_bytes().chain(Endless(row.as_bytes(), 0)));
        let mut rows = rows_after(source, file, &options, 20_000).take(3);
        assert!(rows.all(|row| row.record.unwrap().email == "a@example.com"), "{source}");
    }
}

#[test]
fn reading_goes_on_behind_any_row() {
    let options = Options::default();
    for (source, file) in [
        (Source::JsonLines, "{\"email\":\"a@x.org\"}\n\nbroken\n{\"email\":\"b@x.org\"}\n".to_owned()),
        (Source::Auth0, "[{\"email\":\"a@x.org\"}, {}, {\"email\":\"b@x.org\"}]".to_owned()),
        (
            Source::Keycloak,
            "{\"users\":[{\"email\":\"a@x.org\"}, {\"email\":\"b@x.org\"}], \"realm\":\"a\"}".to_owned(),
        ),
        (Source::Django, "id,password,email\n1,,a@x.org\n\n2,,\n3,,\"b@x.org\"\n".to_owned()),
    ] {
        let whole = summary(&read(source, &file));
        assert!(whole.len() > 1 && whole.is_sorted());
        for (at, (number, _)) in whole.iter().enumerate() {
            let rest: Vec<_> = rows_after(source, file.as_bytes(), &options, *number).collect();
            assert_eq!(summary(&rest), whole[at + 1..], "{source} after {number}");
        }
    }
}

#[test]
fn pages_that_were_appended_to_one_file_are_read_one_after_another() {
    let pages = r#"{"Users":[{"Username":"a","Attributes":[{"Name":"email","Value":"a@example.com"}]}],"PaginationToken":"t"}
        {"Users":[{"Username":"b","Attributes":[{"Name":"email","Value":"b@example.com"}]}]}"#;
    assert_eq!(summary(&read(Source::Cognito, pages)), pairs(&[(1, "a@example.com"), (2, "b@example.com")]));
    let pretty =
        "{\n  \"traits\": {\"email\": \"a@example.com\"}\n}\n{\n  \"traits\": {\"email\": \"b@example.com\"}\n}\n";
    assert_eq!(summary(&read(Source::Kratos, pretty)), pairs(&[(1, "a@example.com"), (2, "b@example.com")]));
}

#[test]
fn a_file_that_cannot_be_read_on_ends() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let options = Options::default();
    for source in Source::ALL {
        let rows: Vec<_> = rows(source, BufReader::new(Failing), &options).collect();
        assert!(matches!(rows[..], [Row { record: Err(Problem::Io(_)), .. }]), "{source}");
    }
}

/// Bytes that look like a file: pieces of all the forms that are read, between bytes of any kind.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\n",
            "\r\n",
            " ",
            "\u{feff}",
            "null",
            "1e999",
            "true",
            "-1",
            "\"users\":[",
            "\"Users\":[",
            "\"email\":\"a@example.com\"",
            "id,email,password\n",
            "cognito:username,email\n",
            "\"credentials\":[{\"type\":\"otp\",\"secretData\":\"{}\"}]",
            "\"fields\":{",
            "\"roles\":[\"\u{1f511}\"]",
            "\"created_at\":\"2024-01-02 \u{e4}\"",
            "\"createdAt\":1e300",
            "\"tf_totp_secret\":{\"key\":\"=\"}",
            "id,primary_email_address,password_digest,password_hasher\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_or_run_on(file in pieces()) {
        for source in Source::ALL {
            let rows = read(source, &file);
            prop_assert!(rows.len() <= file.len() + 1);
            prop_assert!(rows.is_sorted_by_key(|row| row.number));
            let ends = rows.iter().position(|row| row.record.as_ref().is_err_and(Problem::ends_file));
            prop_assert!(ends.is_none_or(|at| at + 1 == rows.len()));
        }
    }

    #[test]
    fn no_members_make_a_reader_panic(name in "[a-zA-Z_:]{0,12}", text in any::<String>()) {
        let names = ["email", "created_at", "credentials", "traits", "attributes", "mfa_factors", "roles", "fields", &name];
        for source in Source::ALL {
            for name in names {
                let row = serde_json::json!({ "email": "a@example.com", name: text }).to_string();
                read(source, format!("[{row}]"));
                read(source, row);
            }
        }
    }
}
