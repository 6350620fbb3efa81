package key

import (
	"time"

	"parley/impl/core/credential"
)

// Refuse remembers a refusal.
func Refuse(s *Service, text string, until time.Time) { s.refused.add(credential.Digest(text), until) }

// Refused is how many refusals are remembered.
func Refused(s *Service) int { return len(s.refused.young) + len(s.refused.old) }
