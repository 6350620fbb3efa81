package projects

import (
	"context"
	"encoding/json"
	"fmt"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type settings struct {
	service *project.Service
	base    base
}

// GetProjectSettings returns how a project looks and answers.
func (s settings) GetProjectSettings(ctx context.Context, request gen.GetProjectSettingsRequestObject) (gen.GetProjectSettingsResponseObject, error) {
	set, err := s.service.Settings(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	out, err := toAPIProjectSettings(set)
	if err != nil {
		return nil, err
	}
	out.ChatbotAvatar, out.ChatbotBackground = s.base.file(ctx, set.AvatarID), s.base.file(ctx, set.BackgroundID)
	return gen.GetProjectSettings200JSONResponse{Data: out, Status: success}, nil
}

// UpdateProjectSettings changes the settings that the body names.
func (s settings) UpdateProjectSettings(ctx context.Context, request gen.UpdateProjectSettingsRequestObject) (gen.UpdateProjectSettingsResponseObject, error) {
	pictures := project.Pictures{
		Avatar: upload(ctx, "chat_bot_avatar"), Background: upload(ctx, "chat_bot_bg"),
		UserAvatar: upload(ctx, "user_avatar"), Spotlight: upload(ctx, "spotlight_avatar"),
	}
	change := func(set *project.Settings) error { return fromAPIProjectSettingsChange(*request.JSONBody, set) }
	if err := s.service.UpdateSettings(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, pictures, change); err != nil {
		return nil, err
	}
	return gen.UpdateProjectSettings200JSONResponse{Data: gen.ProjectsUpdate{Updated: true}, Status: success}, nil
}

// toAPIProjectSettings goes through JSON: the members of both have the same names, which a test holds.
func toAPIProjectSettings(s project.Settings) (gen.ProjectSettings, error) {
	out := gen.ProjectSettings{ChatbotBackgroundType: "color", ChatbotBackgroundColor: "#FFFFFF"}
	if s.BackgroundID != nil {
		out.ChatbotBackgroundType = "image"
	}
	raw, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return gen.ProjectSettings{}, fmt.Errorf("convert settings: %w", err)
	}
	return out, nil
}

// fromAPIProjectSettingsChange changes the settings that a request names, likewise.
func fromAPIProjectSettingsChange(change gen.ProjectSettingsChange, s *project.Settings) error {
	if change.ExampleQuestions != nil {
		s.ExampleQuestions = change.ExampleQuestions // an empty list is no member of the JSON below
	}
	raw, err := json.Marshal(change)
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err != nil {
		return fmt.Errorf("convert settings: %w", err)
	}
	return nil
}
