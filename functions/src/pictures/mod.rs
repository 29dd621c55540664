//! Profile pictures: uploading to S3, resizing, deleting.

pub mod delete_picture;
mod presign;
pub mod resize_picture;
mod thumbnails;
pub mod upload_picture;

use shared::http::Area;

pub const AREA: Area = Area {
    name: "pictures",
    description: "Profile pictures",
    routes: &[upload_picture::ROUTE, delete_picture::ROUTE],
    workers: &[resize_picture::WORKER],
};
