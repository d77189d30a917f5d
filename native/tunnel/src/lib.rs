//! HBONE client and server, and a node proxy made of them.
