//go:build race

package apitest_test

// What the race detector costs in time and memory.
const (
	slowdown = 10
	growth   = 2
)
