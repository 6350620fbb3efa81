//go:build !race

package apitest_test

const (
	slowdown = 1
	growth   = 1
)
