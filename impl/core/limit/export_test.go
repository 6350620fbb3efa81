package limit

import "time"

// Hasten shortens the windows of leased limits and tells of each leased admission at its moment.
func (l *Limiter) Hasten(window, life time.Duration, handedOut func(time.Time)) {
	l.windowOf, l.lifeOf, l.handedOut = window, life, handedOut
}
