// Package testkit runs the server inside a test. It is for tests only.
//
// [Shared] is the test binary's server on the test binary's database; tests
// stay apart by their accounts, as tenants do. A test that needs other options,
// or that breaks things, takes [New], whose database is its own.
//
// Every answer that a test receives through [Server.HTTP], [Server.Client] or
// [Server.Do] is checked against the document: status, content type, headers,
// body with its formats, every event of a stream. What breaks the document
// fails the test. What was seen is appended to the file that
// PARLEY_CONTRACT_LOG names, for tools/contract.
package testkit
