package db_test

import (
	"errors"
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

func TestFeedbackStaysInsideItsAccount(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owner, stranger := newTenant(t, d), newTenant(t, d)
	answered, answer := owner.turnRow(owner.turn), ending()
	answered.ConversationID = &owner.conversation
	if err := d.EndTurn(t.Context(), ended(answered), answer); err != nil {
		t.Fatal(err)
	}
	liked, ids := "liked", []string{answer.Answer.ID, owner.message}
	put := func(account, message string, reaction *string) error {
		return d.PutMessageFeedback(t.Context(), account, owner.conversation, message, reaction, now())
	}
	if err := put(owner.account, answer.Answer.ID, &liked); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another account's": put(stranger.account, answer.Answer.ID, nil), "a question": put(owner.account, owner.message, &liked), "none": put(owner.account, "msg_none", &liked),
	} {
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := d.MessageFeedback(t.Context(), owner.account, owner.conversation, ids); err != nil || len(got) != 1 || got[answer.Answer.ID] != liked {
		t.Errorf("the owner's: %v %v", got, err)
	}
	if got, err := d.MessageFeedback(t.Context(), stranger.account, owner.conversation, ids); err != nil || len(got) != 0 {
		t.Errorf("a stranger reads %v %v", got, err)
	}
}
