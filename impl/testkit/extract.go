package testkit

import "parley/impl/core/extract"

// init lets every test binary that runs a server in-process read files: the
// server starts its own program for that, which here is the test binary.
func init() { extract.RunChild() }
