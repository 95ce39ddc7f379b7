use crate::shapes::{Data, Envelope};
use headwater_stats::Identity;
use utoipa::ToSchema;

impl From<&Identity> for Envelope {
    fn from(identity: &Identity) -> Envelope {
        let Identity { server, service, pid } = identity.clone();
        Envelope { code: 0, server, service, pid }
    }
}

impl<T: ToSchema> Data<T> {
    pub(crate) fn new(identity: &Identity, data: T) -> Data<T> {
        let Identity { server, service, pid } = identity.clone();
        Data { code: 0, server, service, pid, data }
    }
}
