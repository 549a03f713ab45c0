//! stub
use super::*;
/// stub
#[derive(Debug, Clone)]
pub struct WebhookInstallation {
    /// s
    pub settings: WebhookSettings,
    /// d
    pub distribution: String,
}
impl WebhookInstallation {
    /// c
    pub fn created(&self) -> Option<jiff::Timestamp> {
        None
    }
    /// v
    pub fn version(&self) -> Option<String> {
        None
    }
    /// r
    pub fn ready(&self) -> Option<bool> {
        None
    }
}
impl std::fmt::Display for WebhookInstallation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
