mod amf;
mod bodies;
mod files;
