//! `POST /auth/register`

use serde_json::json;
use tests::TestApp;

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let app = TestApp::start().await;
    let answer = app.post("/auth/register", &json!({ "name": " ", "email": "nobody" })).await;
    let fields = answer.fields();
    let expected = [("name", "required"), ("email", "invalid_email"), ("password", "required")];
    assert_eq!(fields, expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
}
