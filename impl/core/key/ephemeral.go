package key

import (
	"context"
	"encoding/json"
	"time"

	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

// realtime is the surface that ephemeral secrets reach, by its scope's name.
const realtime = "realtime"

var errEphemeral = fault.New(fault.Forbidden, "Only a secret key makes ephemeral secrets, or an OAuth client.")

// NewEphemeral makes an ephemeral secret: the caller's key in the hands of a
// page, for realtime sessions alone, until it ends. Everybody who has it is the
// same anonymous visitor. Only secret keys and OAuth clients may make one.
func (s *Service) NewEphemeral(c Caller, secretID string, ends time.Time) (string, error) {
	if c.Kind != Secret || (c.By != "key" && c.By != "client") {
		return "", errEphemeral
	}
	return s.signPass(credential.Ephemeral, c, pass{EndUser: id.New(id.Visitor), SecretID: secretID, Expires: ends.Unix()}), nil
}

// signPass signs what a token of the caller's app carries.
func (s *Service) signPass(kind credential.Kind, c Caller, p pass) string {
	p.AccountID, p.KeyID, p.Client, p.AppID = c.AccountID, c.KeyID, c.By == "client", c.AppID
	payload, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of texts and a number always encodes
	}
	return s.Credentials.Sign(kind, payload)
}

// authenticateEphemeral returns the caller that an ephemeral secret stands for.
func (s *Service) authenticateEphemeral(ctx context.Context, text string) (Caller, error) {
	p, ok := s.open(credential.Ephemeral, text)
	if !ok {
		return Caller{}, ErrUnknown
	}
	c, err := s.holder(ctx, p, text)
	if err == nil && c.May(realtime+verbWrite) {
		c.Scopes = []string{realtime + verbWrite}
	} else {
		c.Scopes = []string{}
	}
	return c, err
}
