// Package faults holds campaigns against real server processes on one Postgres:
// servers are killed at random while clients talk to them, balances and limits
// are besieged through all of them at once, keys are revoked through one and
// tried on the others. Streams are cut and resumed elsewhere, servers replaced
// under load or killed at every place between two writes, the way to Postgres
// is reset, cut and silenced. What clients saw is then compared with the database by
// a checker that knows nothing of the servers.
//
// `go test ./tools/faults` runs the short form, `make faults` the long one.
// A failure prints its seed; PARLEY_FAULTS_SEED repeats the same decisions.
package faults
