//! `POST /user/feedback`

use serde_json::json;
use tests::TestApp;

#[tokio::test]
async fn feedback_of_one_to_five_stars_is_logged() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for (stars, status) in [(0, 400), (5, 204), (6, 400)] {
        assert_eq!(ada.post("/user/feedback", &json!({ "stars": stars })).await.status, status, "{stars}");
    }
    let logs = app.stack.logs().await;
    let given: Vec<_> = logs.iter().filter(|record| record["event.action"] == "feedback_given").collect();
    assert_eq!(given.len(), 1);
}
