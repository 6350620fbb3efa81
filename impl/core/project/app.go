package project

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"parley/db"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/turn"
)

// AnswerFor lets the project of the caller's app answer a question to the app: with its content, settings and model. An
// app without a project, or whose project is gone, answers as it would have. License is the key of one of the
// project's, "" for none: visitors of a project that allows licenses need it,
// and another one is a Forbidden fault.
func (s *Service) AnswerFor(ctx context.Context, in *turn.Input, license string) error {
	p, set, err := s.ofApp(ctx, in.Caller.AccountID, in.Caller.ProjectID)
	if err != nil || p == nil {
		return err
	}
	licenseID, err := s.licensed(ctx, in.Caller, *p, license)
	if err != nil {
		return err
	}
	begun := 0
	if in.Begins {
		begun = 1
	}
	if err := s.useLicense(ctx, *p, licenseID, begun, 1); err != nil {
		return err
	}
	own, err := s.input(ctx, *p, set, Question{Caller: in.Caller}, Options{})
	if err != nil {
		return err
	}
	in.ModelID, in.SystemPrompt, in.Agent, in.Cites = own.ModelID, own.SystemPrompt, own.Agent, set.EnableCitations != 0
	var before []db.Message
	if !in.Begins {
		if before, err = s.DB.MessagesBefore(ctx, p.AccountID, in.Conversation.ID, 0, historySearched); err != nil {
			return err
		}
	}
	in.Knowledge, err = s.knowledgeFor(ctx, *p, set, Question{Caller: in.Caller, Prompt: in.Question}, conversation.History(before))
	return err
}

// Look returns the settings of the project that an app answers from; nil without one.
func (s *Service) Look(ctx context.Context, accountID string, projectID int64) (*Settings, error) {
	p, set, err := s.ofApp(ctx, accountID, projectID)
	if err != nil || p == nil {
		return nil, err
	}
	if set.ChatbotTitle == "" {
		set.ChatbotTitle = p.Name
	}
	return &set, nil
}

// ofApp returns a project with its settings; nil when it is 0 or gone.
func (s *Service) ofApp(ctx context.Context, accountID string, projectID int64) (*db.Project, Settings, error) {
	if projectID == 0 {
		return nil, Settings{}, nil
	}
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Forbidden {
			return nil, Settings{}, nil
		}
		return nil, Settings{}, err
	}
	set, err := SettingsOf(p)
	return &p, set, err
}

// inlineBytesMax bounds a picture that is sent inside of a text.
const inlineBytesMax = 256 << 10

// Inline returns a picture of the settings as a data URL; "" without one, and for one that is too large.
func (s *Service) Inline(ctx context.Context, accountID string, fileID *int64) (string, error) {
	if fileID == nil {
		return "", nil
	}
	picture, err := s.Preview(ctx, accountID, *fileID)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return "", nil
		}
		return "", err
	}
	defer picture.Content.Close()
	if picture.Bytes > inlineBytesMax {
		return "", nil
	}
	var content bytes.Buffer
	if _, err := io.Copy(&content, picture.Content); err != nil {
		return "", fmt.Errorf("read the picture %d: %w", *fileID, err)
	}
	return "data:" + picture.MediaType + ";base64," + base64.StdEncoding.EncodeToString(content.Bytes()), nil
}
