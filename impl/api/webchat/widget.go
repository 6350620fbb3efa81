package webchat

import (
	"context"

	gen "parley/gen/webchat"
	"parley/impl/core/conversation"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type widgets struct{ projects *project.Service }

// GetWidget tells how the app's chat shall look.
func (w widgets) GetWidget(ctx context.Context, _ gen.GetWidgetRequestObject) (gen.GetWidgetResponseObject, error) {
	caller := httpd.Caller(ctx)
	set, err := w.projects.Look(ctx, caller.AccountID, caller.ProjectID)
	if err != nil {
		return nil, err
	}
	if set == nil {
		return gen.GetWidget200JSONResponse{Success: gen.WebchatWidgetSuccessTrue, Questions: []string{}, Citations: true, Feedback: true}, nil
	}
	avatar, err := w.projects.Inline(ctx, caller.AccountID, set.AvatarID)
	if err != nil {
		return nil, err
	}
	return gen.GetWidget200JSONResponse(toAPIWebchatWidget(*set, avatar)), nil
}

func toAPIWebchatWidget(set project.Settings, avatar string) gen.WebchatWidget {
	return gen.WebchatWidget{
		Success: gen.WebchatWidgetSuccessTrue, Title: given(set.ChatbotTitle), Color: given(set.ChatbotToolbarColor), Avatar: given(avatar),
		Placeholder: given(set.DefaultPrompt), Questions: append([]string{}, set.ExampleQuestions...), Language: given(set.ChatbotMsgLang),
		Citations: set.EnableCitations != 0, Feedback: set.EnableFeedbacks,
	}
}

// given is nil for a text that nobody set.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type judgements struct{ conversations *conversation.Service }

// UpdateSessionFeedback stores what an answer was worth.
func (j judgements) UpdateSessionFeedback(ctx context.Context, request gen.UpdateSessionFeedbackRequestObject) (gen.UpdateSessionFeedbackResponseObject, error) {
	caller := httpd.Caller(ctx)
	row, err := j.conversations.Visit(ctx, caller, surface, request.SessionID)
	if err != nil {
		return nil, sessionFault(err)
	}
	if err := j.conversations.Judge(ctx, row, request.MessageID, request.Body.Reaction); err != nil {
		return nil, err
	}
	return gen.UpdateSessionFeedback200JSONResponse{
		Success: gen.WebchatFeedbackAnswerSuccessTrue, MessageID: request.MessageID, Reaction: request.Body.Reaction,
	}, nil
}
