package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
)

// What answers rest on.
const (
	SourceDefault = "default"        // the content, then the model's knowledge
	SourceOwn     = "own_content"    // the content alone
	SourceModel   = "openai_content" // the model's knowledge alone
)

// Settings are how a project looks and answers. They are stored as JSON.
type Settings struct {
	DefaultPrompt                     string   `json:"default_prompt"`
	ExampleQuestions                  []string `json:"example_questions"`
	ResponseSource                    string   `json:"response_source"`
	ChatbotMsgLang                    string   `json:"chatbot_msg_lang"`
	ChatbotColor                      string   `json:"chatbot_color"`
	ChatbotToolbarColor               string   `json:"chatbot_toolbar_color"`
	PersonaInstructions               string   `json:"persona_instructions"`
	CitationsAnswerSourceLabelMsg     string   `json:"citations_answer_source_label_msg"`
	CitationsSourcesLabelMsg          string   `json:"citations_sources_label_msg"`
	HangInThereMsg                    string   `json:"hang_in_there_msg"`
	ChatbotSiestaMsg                  string   `json:"chatbot_siesta_msg"`
	IsLoadingIndicatorEnabled         bool     `json:"is_loading_indicator_enabled"`
	EnableCitations                   int32    `json:"enable_citations"`
	EnableFeedbacks                   bool     `json:"enable_feedbacks"`
	CitationsViewType                 string   `json:"citations_view_type"`
	ImageCitationDisplay              string   `json:"image_citation_display"`
	NoAnswerMessage                   string   `json:"no_answer_message"`
	EndingMessage                     string   `json:"ending_message"`
	TryAskingQuestionsMsg             string   `json:"try_asking_questions_msg"`
	ViewMoreMsg                       string   `json:"view_more_msg"`
	ViewLessMsg                       string   `json:"view_less_msg"`
	RemoveBranding                    bool     `json:"remove_branding"`
	EnableRecaptchaForPublicChatbots  bool     `json:"enable_recaptcha_for_public_chatbots"`
	ChatbotModel                      string   `json:"chatbot_model"`
	IsSellingEnabled                  bool     `json:"is_selling_enabled"`
	CanShareConversation              bool     `json:"can_share_conversation"`
	CanExportConversation             bool     `json:"can_export_conversation"`
	HideSourcesFromResponses          bool     `json:"hide_sources_from_responses"`
	AgentCapability                   string   `json:"agent_capability"`
	InputFieldAddendum                string   `json:"input_field_addendum"`
	UserAvatarOrientation             string   `json:"user_avatar_orientation"`
	ChatbotTitle                      string   `json:"chatbot_title"`
	ChatbotTitleColor                 string   `json:"chatbot_title_color"`
	EnableInlineCitationsAPI          bool     `json:"enable_inline_citations_api"`
	ConversationTimeWindow            bool     `json:"conversation_time_window"`
	ConversationRetentionPeriod       string   `json:"conversation_retention_period"`
	ConversationRetentionDays         int32    `json:"conversation_retention_days"`
	UseContextAwareStarterQuestion    bool     `json:"use_context_aware_starter_question"`
	EnableAgentKnowledgeBaseAwareness bool     `json:"enable_agent_knowledge_base_awareness"`
	MarkdownEnabled                   bool     `json:"markdown_enabled"`

	// Pictures, as numbers of files; nil without one.
	AvatarID     *int64 `json:"avatar_id,omitempty"`
	BackgroundID *int64 `json:"background_id,omitempty"`
	UserAvatarID *int64 `json:"user_avatar_id,omitempty"`
	SpotlightID  *int64 `json:"spotlight_id,omitempty"`
}

// Defaults are the settings of a project that has changed none.
func Defaults() Settings {
	return Settings{
		DefaultPrompt:                     "Ask me anything",
		ExampleQuestions:                  []string{},
		ResponseSource:                    "default",
		ChatbotMsgLang:                    "en",
		ChatbotColor:                      "#0E57CC",
		ChatbotToolbarColor:               "#0E57CC",
		CitationsAnswerSourceLabelMsg:     "Where did this answer come from?",
		CitationsSourcesLabelMsg:          "Sources",
		HangInThereMsg:                    "Hang in there! I am thinking.",
		ChatbotSiestaMsg:                  "The agent is taking a break.",
		IsLoadingIndicatorEnabled:         true,
		EnableCitations:                   3,
		EnableFeedbacks:                   true,
		CitationsViewType:                 "user",
		ImageCitationDisplay:              "default",
		NoAnswerMessage:                   "I'm sorry, I could not find an answer to that.",
		EndingMessage:                     "Please email us for further support",
		TryAskingQuestionsMsg:             "Try asking these questions...",
		ViewMoreMsg:                       "View more",
		ViewLessMsg:                       "View less",
		HideSourcesFromResponses:          true,
		AgentCapability:                   "optimal-choice",
		UserAvatarOrientation:             "agent-left-user-right",
		ChatbotTitleColor:                 "#000000",
		ConversationRetentionPeriod:       "never",
		EnableAgentKnowledgeBaseAwareness: true,
		MarkdownEnabled:                   true,
	}
}

// SettingsOf reads a project's settings.
func SettingsOf(p db.Project) (Settings, error) {
	s := Defaults()
	if err := json.Unmarshal(p.Settings, &s); err != nil {
		return Settings{}, fmt.Errorf("decode settings of project %d: %w", p.ID, err)
	}
	return s, nil
}

// Settings returns a project's settings.
func (s *Service) Settings(ctx context.Context, accountID string, projectID int64) (Settings, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return Settings{}, err
	}
	return SettingsOf(p)
}

// Pictures are new pictures of settings; nil leaves what there is.
type Pictures struct {
	Avatar, Background, UserAvatar, Spotlight *File
}

// UpdateSettings lets edit change a project's settings. Pictures that are no images are an Invalid fault.
func (s *Service) UpdateSettings(ctx context.Context, accountID string, projectID int64, pictures Pictures, edit func(*Settings) error) error {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return err
	}
	kept, err := s.keepImages(ctx, accountID, pictures.Avatar, pictures.Background, pictures.UserAvatar, pictures.Spotlight)
	if err != nil {
		return err
	}
	var gone []*int64
	_, err = s.change(ctx, accountID, projectID, func(q *db.Queries, p *db.Project) error {
		set, err := SettingsOf(*p)
		if err != nil {
			return err
		}
		if err := edit(&set); err != nil {
			return err
		}
		gone, err = place(ctx, q, kept, set.images()...)
		if err != nil {
			return err
		}
		p.RetentionDays = set.retentionDays()
		p.Settings, err = json.Marshal(set)
		return err
	})
	if err != nil {
		return errors.Join(err, s.dropBlobs(ctx, kept))
	}
	return s.dropImages(ctx, accountID, gone)
}

// retentionDays is how many days conversations are kept; nil for good.
func (s Settings) retentionDays() *int {
	days := 0
	switch s.ConversationRetentionPeriod {
	case "year":
		days = 365
	case "custom":
		days = int(s.ConversationRetentionDays)
	}
	if days == 0 {
		return nil
	}
	return &days
}

// unaskedLang is the language that clients of this API name unless they are told another.
const unaskedLang = "en"

// SystemPrompt is what a model is told beside the project's name. A persona of
// the request wins over that of the settings; lang "", or "en", which clients
// send unasked, leaves the language to the question.
func (s Settings) SystemPrompt(persona, lang string) string {
	var parts []string
	if persona == "" {
		persona = s.PersonaInstructions
	}
	if persona != "" {
		parts = append(parts, persona)
	}
	if !s.MarkdownEnabled {
		parts = append(parts, "Answer in plain text, without Markdown.")
	}
	if s.HideSourcesFromResponses {
		parts = append(parts, "Do not name your sources in words.")
	}
	if lang != "" && lang != unaskedLang {
		parts = append(parts, "Answer in the language with the code "+lang+".")
	}
	return strings.Join(parts, "\n")
}

var errNotAvailable = fault.New(fault.Invalid, "is_ocr_enabled and is_anonymized are not available on this server.")

// CheckOptions is an Invalid fault when something is asked for that the server does not have.
func CheckOptions(options ...*bool) error {
	for _, asked := range options {
		if asked != nil && *asked {
			return errNotAvailable
		}
	}
	return nil
}
