package main

import "testing"

// letsOperate gives the account acme the right to operate the server and takes it away.
func letsOperate(t *testing.T, s *instance) {
	t.Helper()
	for _, c := range []struct {
		flags []string
		want  bool
	}{{nil, true}, {[]string{"--end"}, false}} {
		var operating struct{ Operates bool }
		if s.command(&operating, append([]string{"accounts", "operate", "acme"}, c.flags...)...); operating.Operates != c.want {
			t.Errorf("accounts operate %v: %v", c.flags, operating.Operates)
		}
	}
}
