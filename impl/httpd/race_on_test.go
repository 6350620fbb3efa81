//go:build race

package httpd

import "time"

const raceEnabled = true

// budget allows for the race detector, which slows code down about tenfold.
func budget(d time.Duration) time.Duration { return 20 * d }
