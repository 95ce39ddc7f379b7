use std::fmt;

/// Loads the configuration again for `rpc=reload`; made by the server.
pub trait Reload: fmt::Debug + Send + Sync {
    /// Begins to, soon; does not wait.
    fn request(&self);

    /// How the last one went.
    fn last(&self) -> Reloaded;
}

/// How a reload went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The error's code (srs-interfaces 3.12), or 0.
    pub code: i32,
    /// The error in words; empty when there was none.
    pub error: String,
    /// Which step it reached.
    pub step: ReloadStep,
    /// Another one for each reload; empty before the first.
    pub id: String,
}

/// The steps of a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReloadStep {
    /// There was no reload yet.
    #[default]
    Never = 0,
    /// The configuration is read.
    Parsing = 10,
    /// Its directives are checked.
    Checking = 20,
    /// It takes effect.
    Applying = 30,
    /// It is in effect.
    Finished = 90,
}
