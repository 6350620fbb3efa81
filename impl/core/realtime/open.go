package realtime

import (
	"sync"

	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// open counts the sessions that are open on this server. Accounts and keys
// without any are not in it.
type open struct {
	mu        sync.Mutex
	byAccount map[string]int
	byKey     map[string]int
}

// enter counts a session in; a RateLimited fault when its account or key has as many as may be.
func (s *Service) enter(caller key.Caller) error {
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	switch {
	case s.OpenPerAccount > 0 && s.open.byAccount[caller.AccountID] >= s.OpenPerAccount:
		return fault.New(fault.RateLimited, "The account has %d realtime sessions open, as many as may be; close one.", s.OpenPerAccount).Coded("too_many_sessions")
	case s.OpenPerKey > 0 && s.open.byKey[caller.KeyID] >= s.OpenPerKey:
		return fault.New(fault.RateLimited, "The key has %d realtime sessions open, as many as may be; close one.", s.OpenPerKey).Coded("too_many_sessions")
	}
	if s.open.byAccount == nil {
		s.open.byAccount, s.open.byKey = map[string]int{}, map[string]int{}
	}
	s.open.byAccount[caller.AccountID]++
	s.open.byKey[caller.KeyID]++
	return nil
}

func (s *Service) leave(caller key.Caller) {
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	for counts, name := range map[*map[string]int]string{&s.open.byAccount: caller.AccountID, &s.open.byKey: caller.KeyID} {
		if (*counts)[name]--; (*counts)[name] <= 0 {
			delete(*counts, name)
		}
	}
}
