//! stub until the client lands
/// stub
#[derive(Debug, clap::Args)]
pub struct KubectlFlags {
    /// namespace
    #[arg(short, long, global = true)]
    namespace: Option<String>,
}
impl KubectlFlags {
    /// s
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}
