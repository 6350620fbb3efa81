// Package httpd is the edge that all surfaces share. One request passes, in
// this order:
//
//	request id → access log → panic barrier → CORS → chi's match (404, 405)
//	→ body ceiling → authenticate (401) → count (429) → scope and origin (403)
//	→ content type (415) → body hygiene and validation (400) → generated wrapper
//
// The handshake of a WebSocket passes the same gates and, last, its own (426);
// its handler is mounted by hand in place of a generated wrapper.
//
// Nothing before the key check costs more than the request's own bytes, and no
// text of the validator, the driver or an upstream reaches a caller: every
// failure is a fault, and the surface that owns the path writes it.
//
// What an operation demands (its parameters and body, who may call it, the
// scopes, the body's ceiling) is read from the document, never repeated here.
package httpd
