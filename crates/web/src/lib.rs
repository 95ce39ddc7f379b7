//! What gateways and the API share of HTTP (RFC 9110): what a request asks for, and the answer to it when the whole
//! content is in memory.
//!
//! - `target`: path, query and virtual host of a request, whatever the version of HTTP
//! - `representation`: content with its validators, answered whole, in part or not at all
//! - `range`: the `Range` field; `validator`: entity tags and the conditions on them
//! - `pieces`: a body of several byte slices, none of them copied
//!
//! It holds no route and no policy, and reads no file.

mod pieces;
mod range;
mod representation;
mod target;
mod validator;

pub use pieces::Pieces;
pub use range::{Part, RangeNotSatisfiable, part};
pub use representation::{Caching, Representation};
pub use target::{host, parameter, percent_decode, virtual_host, without_port};
pub use validator::EntityTag;
