package key_test

import (
	"testing"
	"time"

	"parley/impl/core/fault"
	"parley/impl/core/key"
)

func (b *bundle) admits(t *testing.T, text string) bool {
	t.Helper()
	_, err := b.keys.Authenticate(t.Context(), text)
	if err != nil && fault.KindOf(err) != fault.Unauthenticated {
		t.Fatal(err)
	}
	return err == nil
}

// admin is a caller who rules the account but not the server.
func (b *bundle) admin() key.Caller {
	return key.Caller{AccountID: b.account, Scopes: []string{key.ScopeAdmin}}
}

func TestRotationKeepsTheOldTextForItsGrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.create(t, nil)
	second, err := b.keys.Rotate(t.Context(), b.admin(), first.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID != first.ID || second.AppID != first.AppID || second.Text == first.Text || second.Prefix == first.Prefix {
		t.Errorf("rotated %+v to %+v", first, second)
	}
	if !b.admits(t, first.Text) || !b.admits(t, second.Text) {
		t.Error("within the grace one of the texts is refused")
	}
	// A rotation without grace also ends the grace of those before.
	third, err := b.keys.Rotate(t.Context(), b.admin(), first.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if b.admits(t, first.Text) || b.admits(t, second.Text) || !b.admits(t, third.Text) {
		t.Error("after a rotation without grace an old text works, or the new one does not")
	}
}

func TestAnInactiveKeyIsRefusedUntilItIsActiveAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.create(t, nil)
	for _, active := range []bool{false, true} {
		if _, err := b.keys.Update(t.Context(), b.admin(), made.ID, key.UpdateInput{Active: &active}); err != nil {
			t.Fatal(err)
		}
		if b.admits(t, made.Text) != active {
			t.Errorf("active %v, but admitted is not", active)
		}
	}
}

func TestUpdateChangesWhatIsGivenAndChecksIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.create(t, func(in *key.CreateInput) { in.Kind, in.Origins = key.Publishable, []string{"https://a.example"} })
	name := " New "
	got, err := b.keys.Update(t.Context(), b.admin(), made.ID, key.UpdateInput{Name: &name})
	if err != nil || got.Name != "New" || len(got.Origins) != 1 || len(got.Scopes) != len(made.Scopes) {
		t.Errorf("%+v, %v", got, err)
	}
	for what, in := range map[string]key.UpdateInput{
		"unknown scope": {Scopes: []string{"everything"}},
		"no origin":     {Origins: []string{"nowhere"}},
	} {
		if _, err := b.keys.Update(t.Context(), b.admin(), made.ID, in); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	admin := key.UpdateInput{Scopes: []string{key.ScopeAdmin}}
	if _, err := b.keys.Update(t.Context(), b.admin(), made.ID, admin); fault.KindOf(err) != fault.Conflict {
		t.Errorf("admin in a page: %v", err)
	}
	if after, err := b.keys.Get(t.Context(), b.account, made.ID); err != nil || after.Name != "New" || after.Origins[0] != "https://a.example" {
		t.Errorf("a refused change left %+v, %v", after, err)
	}
}

func TestADeletedKeyIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.create(t, nil)
	if err := b.keys.Delete(t.Context(), b.account, made.ID); err != nil {
		t.Fatal(err)
	}
	if b.admits(t, made.Text) {
		t.Error("a deleted key works")
	}
	for what, err := range map[string]error{
		"delete": b.keys.Delete(t.Context(), b.account, made.ID),
		"get":    second(b.keys.Get(t.Context(), b.account, made.ID)),
		"update": second(b.keys.Update(t.Context(), b.admin(), made.ID, key.UpdateInput{})),
		"rotate": second(b.keys.Rotate(t.Context(), b.admin(), made.ID, 0)),
	} {
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestNobodyHandsOutMoreThanTheyHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	operator := b.create(t, func(in *key.CreateInput) { in.Scopes = []string{key.ScopeOperator} })
	reader := key.Caller{AccountID: b.account, Scopes: []string{"admin:read", "admin:write"}}
	writer := key.Caller{AccountID: b.account, Scopes: []string{"admin:write"}}
	for name, c := range map[string]struct {
		by     key.Caller
		scopes []string
		plan   string
		want   fault.Kind
	}{
		"what an admin holds":         {b.admin(), []string{"admin", "webchat:read"}, "", fault.Internal},
		"both verbs are the whole":    {reader, []string{"admin"}, "", fault.Internal},
		"one verb is not":             {writer, []string{"admin"}, "", fault.Forbidden},
		"the other verb":              {writer, []string{"webchat:read"}, "", fault.Forbidden},
		"an operator's from an admin": {b.admin(), []string{"operator:read"}, "", fault.Forbidden},
		"a plan from an admin":        {b.admin(), []string{"webchat"}, "pro", fault.Forbidden},
		"a plan from an operator":     {key.Caller{AccountID: b.account, Scopes: []string{"admin", "operator"}}, []string{"webchat"}, "pro", fault.Internal},
	} {
		_, err := b.keys.Create(t.Context(), key.CreateInput{AccountID: b.account, Name: name, By: &c.by, Scopes: c.scopes, Plan: c.plan})
		if (c.want == fault.Internal) != (err == nil) || (err != nil && fault.KindOf(err) != c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := b.keys.Rotate(t.Context(), b.admin(), operator.ID, 0)
	wantKind(t, err, fault.Forbidden)
	name := "mine"
	_, err = b.keys.Update(t.Context(), b.admin(), operator.ID, key.UpdateInput{Name: &name})
	wantKind(t, err, fault.Forbidden)
	if !b.admits(t, operator.Text) {
		t.Error("a refused rotation ended the operator's key")
	}
}
