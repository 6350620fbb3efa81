//go:build !race

package httpd

import "time"

const raceEnabled = false

// budget leaves room for a busy machine.
func budget(d time.Duration) time.Duration { return 3 * d }
