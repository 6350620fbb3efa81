//go:build !linux

package main

// unmapProgram does nothing: other systems are not known well enough.
func unmapProgram() {}
