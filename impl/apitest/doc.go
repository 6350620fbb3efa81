// Package apitest tests every surface of the API over HTTP, against a real
// Postgres. It has no code but tests.
//
// matrix_*_test.go are made from the document: each operation is tried with
// every credential, foreign ids, broken input, other methods, used-up limits,
// a broken server. A new operation is in them as soon as it is in the document;
// when it refers to something new by id, tenant_test.go gets a line.
// seeds_test.go replays the examples of the seeds. The others are written by
// hand, a file a subject. Answers are held against the document by testkit.
package apitest
