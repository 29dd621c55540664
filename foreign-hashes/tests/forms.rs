//! Forms that no vector has: by examples of the systems' manuals, and by what must be the same or differ.

use foreign_hashes::{Fields, ForeignHash, Stored, System};
use serde_json::json;

fn hash_with(system: System, stored: &str, fields: &serde_json::Value) -> ForeignHash {
    let fields: Fields = fields.as_object().cloned().unwrap_or_default();
    match system.read(stored, &fields) {
        Ok(Stored::Hash(hash)) => hash,
        other => panic!("{system}: {stored}: {other:?}"),
    }
}

fn hash(system: System, stored: &str) -> ForeignHash {
    hash_with(system, stored, &json!({}))
}

/// What recipes make of one password, where they make the same of it.
fn derive(hash: &ForeignHash, password: &str) -> Vec<u8> {
    hash.recipe().derive(password).expect("the password is taken").to_vec()
}

#[test]
fn examples_of_manuals_verify() {
    for (system, stored, password) in [
        // The manual of PHP's crypt().
        (System::Php, "rl.3StKT.4T8M", "rasmuslerdorf"),
        (System::Php, "$1$rasmusle$rISCgZzpwk3UhDidwXvin0", "rasmuslerdorf"),
        (System::Php, "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi", "rasmuslerdorf"),
        (System::Php, "$5$rounds=5000$usesomesillystri$KqJWpanXZHKq2BOB43TSaYhEWsQ1Lr5QNyPCDH/Tp.6", "rasmuslerdorf"),
        // The self-test of phpass.
        (System::WordPress, "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345"),
        // MD5 and SHA-1 of "password".
        (System::Django, "5f4dcc3b5aa765d61d8327deb882cf99", "password"),
        (System::Django, "md5$$5f4dcc3b5aa765d61d8327deb882cf99", "password"),
        (System::Django, "sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "password"),
        (System::MediaWiki, ":A:5f4dcc3b5aa765d61d8327deb882cf99", "password"),
        (System::Dovecot, "{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99", "password"),
        (System::Dovecot, "{LDAP-MD5}X03MO1qnZdYdgyfeuILPmQ==", "password"),
        (System::Passlib, "{MD5}X03MO1qnZdYdgyfeuILPmQ==", "password"),
        (System::Dovecot, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"),
        (System::Dovecot, "{sha}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "password"),
        (System::Dovecot, "{SHA1.HEX}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "password"),
        (System::Kratos, "$sha1$pf=e1BBU1NXT1JEfQ==$$W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"),
    ] {
        let hash = hash(system, stored);
        assert!(hash.verify(password), "{system}: {stored}");
        assert!(!hash.verify(&format!("{password}x")) || stored.len() == 13, "{system}: {stored}");
    }
}

#[test]
fn drupal_hashes_the_md5_of_accounts_that_it_upgraded() {
    let output = ".".repeat(43);
    let plain = hash(System::Drupal, &format!("$S$512345678{output}"));
    let upgraded = hash(System::Drupal, &format!("U$S$512345678{output}"));
    assert_eq!(derive(&upgraded, "password"), derive(&plain, "5f4dcc3b5aa765d61d8327deb882cf99"));
}

#[test]
fn lucia_s_hasher_tells_what_no_mark_means() {
    let (pair, legacy) = ("00:00", json!({ "hasher": "LegacyScrypt" }));
    assert_eq!(hash(System::Lucia, pair), hash(System::Lucia, "s2:00:00"));
    assert_eq!(hash_with(System::Lucia, "s2:00:00", &legacy), hash(System::Lucia, pair));
    assert_ne!(hash_with(System::Lucia, pair, &legacy), hash(System::Lucia, pair));
}

#[test]
fn flask_security_s_settings_choose_the_recipe() {
    let argon2 = "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA";
    let django = "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99";
    let read = |stored, single| {
        hash_with(
            System::FlaskSecurity,
            stored,
            &json!({ "SECURITY_PASSWORD_SALT": "x", "SECURITY_PASSWORD_SINGLE_HASH": single }),
        )
    };
    assert_eq!(read(argon2, json!(["argon2"])), read(argon2, json!(true)));
    assert_eq!(read(argon2, json!("bcrypt, argon2")), read(argon2, json!(true)));
    assert_eq!(read(argon2, json!(["bcrypt"])), read(argon2, json!(false)));
    assert_ne!(read(argon2, json!(true)), read(argon2, json!(false)));
    assert_eq!(read(django, json!(null)), read(django, json!(true)));
    assert_ne!(read(django, json!(null)), read(django, json!(false)));
}

#[test]
fn python_s_bcrypt_refuses_what_it_used_to_cut() {
    let stored = "$2b$04$......................................................"[..60].to_owned();
    let read = |backend| hash_with(System::Pwdlib, &stored, &json!({ "bcrypt_backend": backend }));
    let (fits, over) = ("x".repeat(72), "x".repeat(73));
    assert_eq!(derive(&read("bcrypt 4.3.0"), &over), derive(&read("bcrypt 4.3.0"), &fits));
    assert_eq!(read("5.0.0").recipe().derive(&over), None);
    assert!(read("bcrypt 5.0.0").recipe().derive(&fits).is_some());
}

#[test]
fn php_stops_at_a_nul_and_ruby_refuses_it() {
    let stored = "$2y$04$......................................................"[..60].to_owned();
    let php = hash(System::Php, &stored);
    assert_eq!(derive(&php, "pass\0word"), derive(&php, "pass"));
    assert_eq!(hash(System::Rails, &stored).recipe().derive("pass\0word"), None);
    let node = hash(System::NodeBcrypt, &stored);
    assert_ne!(derive(&node, "pass\0word"), derive(&node, "pass"));
}

#[test]
fn a_password_too_long_for_its_rounds_is_refused_unless_hashed_once() {
    let output = ".".repeat(86);
    let recipe = hash(System::Passlib, &format!("$6$rounds=656000$salt${output}"));
    assert_eq!(recipe.recipe().derive(&"x".repeat(1633)), None);
    let fshp = hash(System::Passlib, "{FSHP0|0|480000}AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert!(fshp.recipe().derive(&"x".repeat(4096)).is_some());
    let phpass = hash(System::Passlib, &format!("$P$L12345678{}", ".".repeat(22)));
    assert_eq!(phpass.recipe().derive(&"x".repeat(129)), None);
}

#[test]
fn both_files_of_auth0_are_read() {
    let bcrypt = "$2b$10$fviw6wla2tdn4yxNhXjU8eOFjQ8xcLmC69/qBD.YQcdc.wesuCixe";
    let line = json!({ "email": "ada@example.com", "passwordHash": bcrypt }).to_string();
    assert_eq!(hash(System::Auth0, bcrypt), hash(System::Auth0, &line));
}

#[test]
fn scrypt_s_file_format_is_read_in_base64_and_hex() {
    let base64 = "c2NyeXB0AAwAAAAIAAAAAudxYfSbkRuQwKa0qtrCltnW32SIfrSIN8ZePOuJGMn4/l1o2e5D0UVWlff9lsUR+Xv1phEVNF+IuF8R1temJNfQKXc3SME4Tp8NCWs8//FT";
    let hex = "736372797074000c0000000800000002e77161f49b911b90c0a6b4aadac296d9d6df64887eb48837c65e3ceb8918c9f8\
               fe5d68d9ee43d1455695f7fd96c511f97bf5a61115345f88b85f11d6d7a624d7d029773748c1384e9f0d096b3cfff153";
    assert_eq!(hash(System::ScryptKdf, base64), hash(System::ScryptKdf, hex));
    let mut broken = hex.to_owned();
    broken.replace_range(20..21, "1");
    assert!(System::ScryptKdf.read(&broken, &Fields::new()).is_err());
}
