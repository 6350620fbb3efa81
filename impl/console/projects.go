package console

import (
	"fmt"
	"net/http"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
	"parley/gen/client/projects"
)

// projectsPage is what the page of projects is given.
type projectsPage struct {
	Projects      []projects.Project
	Newer, Older  string
	Name, Sitemap string // as the form had them
	Search        string
}

func (c *Console) showProjects(v *visit) error {
	return v.showProjects(http.StatusOK, view{}, projectsPage{})
}

func (v *visit) showProjects(status int, page view, data projectsPage) error {
	number := v.pageNumber()
	params := &projects.ListProjectsParams{Page: &number}
	if data.Search = v.URL.Query().Get("name"); data.Search != "" {
		params.Name = &data.Search
	}
	got, err := v.api.Projects.ListProjects(v.Context(), params)
	if err != nil {
		return err
	}
	list := got.Data
	data.Projects = list.Data
	data.Newer, data.Older = v.neighbours(list.CurrentPage, list.LastPage)
	page.Title, page.Nav, page.Data = "Projects", "projects", data
	return v.show(status, "projects", page)
}

// pageNumber is the page that the address asks for, from 1.
func (v *visit) pageNumber() int32 {
	n, err := strconv.ParseInt(v.URL.Query().Get("page"), 10, 32)
	if err != nil || n < 1 {
		return 1
	}
	return int32(n)
}

// neighbours are the addresses of the pages before and after; "" at the ends.
func (v *visit) neighbours(present, last int64) (before, after string) {
	at := func(n int64) string {
		query := v.URL.Query()
		query.Del("done")
		query.Set("page", fmt.Sprint(n))
		return v.URL.Path + "?" + query.Encode()
	}
	if present > 1 {
		before = at(present - 1)
	}
	if present < last {
		after = at(present + 1)
	}
	return before, after
}

func (c *Console) createProject(v *visit) error {
	sitemap := v.field("sitemap")
	create := projects.ProjectCreation{ProjectName: v.field("name"), SitemapPath: &sitemap}
	made, err := v.api.Projects.CreateProject(v.Context(), create, client.IdempotencyKey(v.attempt()))
	if err != nil {
		status, text, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showProjects(status, view{Error: text}, projectsPage{Name: create.ProjectName, Sitemap: sitemap})
	}
	return v.see(fmt.Sprintf("/projects/%d", made.Data.ID), "created")
}

// createProjectOfFile hands a form with a file on as it comes: the API reads it.
func (c *Console) createProjectOfFile(v *visit) error {
	made, err := v.api.Projects.CreateProjectForm(v.Context(), client.EncodedForm(v.Header.Get("Content-Type"), v.Body))
	if err != nil {
		status, text, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showProjects(status, view{Error: text}, projectsPage{})
	}
	return v.see(fmt.Sprintf("/projects/%d", made.Data.ID), "created")
}

// projectPage is the page of one project.
type projectPage struct {
	Project      projects.Project
	Sources      projects.ProjectSources
	Progress     projects.ProjectProgress
	Pages        projects.ProjectPagePaginator
	Newer, Older string
	Question     string
	Answer       *projects.ProjectSentMessage
	Citations    []projects.ProjectCitation // the pages that it cites, for whoever may not see the passages
	Passages     []platform.TalkPassage     // what it cites, for whoever may
}

func (v *visit) projectID() (int64, error) {
	id, err := strconv.ParseInt(v.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNoPage
	}
	return id, nil
}

func (c *Console) showProject(v *visit) error {
	return v.showProject(http.StatusOK, view{}, projectPage{})
}

func (v *visit) showProject(status int, page view, data projectPage) error {
	id, err := v.projectID()
	if err != nil {
		return err
	}
	number, limit := v.pageNumber(), int32(pageSize)
	pages, err := v.api.Projects.ListProjectPages(v.Context(), id, &projects.ListProjectPagesParams{Page: &number, Limit: &limit})
	if err != nil {
		return err
	}
	sources, err := v.api.Projects.ListProjectSources(v.Context(), id)
	if err != nil {
		return err
	}
	progress, err := v.api.Projects.GetProjectProgress(v.Context(), id, &projects.GetProjectProgressParams{})
	if err != nil {
		return err
	}
	data.Project, data.Pages = pages.Data.Project, pages.Data.Pages
	data.Sources, data.Progress = sources.Data, progress.Data
	data.Newer, data.Older = v.neighbours(data.Pages.CurrentPage, data.Pages.LastPage)
	page.Title, page.Nav, page.Data, page.Module = data.Project.ProjectName, "projects", data, "project.js"
	return v.show(status, "project", page)
}

// changeProject does what a form of a project says.
func (c *Console) changeProject(v *visit) error {
	id, err := v.projectID()
	if err != nil {
		return err
	}
	switch v.field("do") {
	case "ask":
		return v.ask(id)
	case "delete":
		if _, err = v.api.Projects.DeleteProject(v.Context(), id); err == nil {
			return v.see("/projects", "deleted")
		}
	case "reindex", "remove":
		var page int64
		if page, err = strconv.ParseInt(v.field("page"), 10, 64); err != nil {
			return errNoPage
		}
		if v.field("do") == "reindex" {
			_, err = v.api.Projects.ReindexProjectPage(v.Context(), id, page, client.IdempotencyKey(v.attempt()))
		} else {
			_, err = v.api.Projects.DeleteProjectPage(v.Context(), id, page)
		}
	case "sync", "drop":
		var source int64
		if source, err = strconv.ParseInt(v.field("source"), 10, 64); err != nil {
			return errNoPage
		}
		if v.field("do") == "sync" {
			_, err = v.api.Projects.SyncProjectSource(v.Context(), id, source)
		} else {
			_, err = v.api.Projects.DeleteProjectSource(v.Context(), id, source)
		}
	default:
		sitemap := v.field("sitemap")
		_, err = v.api.Projects.CreateProjectSource(v.Context(), id, projects.ProjectSourceCreation{SitemapPath: &sitemap}, client.IdempotencyKey(v.attempt()))
	}
	if err != nil {
		return v.refusedProject(err, projectPage{})
	}
	return v.see(fmt.Sprintf("/projects/%d", id), "saved")
}

func (v *visit) refusedProject(err error, data projectPage) error {
	status, text, other := v.refusal(err)
	if other != nil {
		return other
	}
	return v.showProject(status, view{Error: text}, data)
}

// addFile hands a form with a file on as it comes: the API reads it.
func (c *Console) addFile(v *visit) error {
	id, err := v.projectID()
	if err != nil {
		return err
	}
	if _, err := v.api.Projects.CreateProjectSourceForm(v.Context(), id, client.EncodedForm(v.Header.Get("Content-Type"), v.Body)); err != nil {
		return v.refusedProject(err, projectPage{})
	}
	return v.see(fmt.Sprintf("/projects/%d", id), "saved")
}

// titleMax is how many characters of a question name the conversation that it is tried in.
const titleMax = 80

// ask tries a question and shows the answer with what it cites.
func (v *visit) ask(id int64) error {
	data := projectPage{Question: v.field("question")}
	name := data.Question
	if asked := []rune(name); len(asked) > titleMax {
		name = string(asked[:titleMax]) + "…"
	}
	conversation, err := v.api.Projects.CreateProjectConversation(v.Context(), id, projects.ProjectConversationCreation{Name: &name}, client.IdempotencyKey(v.attempt()))
	if err != nil {
		return v.refusedProject(err, data)
	}
	sent, err := v.api.Projects.SendProjectMessage(v.Context(), id, conversation.Data.SessionID, &projects.SendProjectMessageParams{},
		projects.ProjectMessageRequest{Prompt: data.Question}, client.IdempotencyKey("m"+v.attempt()))
	if err != nil {
		return v.refusedProject(err, data)
	}
	data.Answer = &sent.Data
	if v.isAdmin() {
		if data.Passages, err = v.passages(conversation.Data.SessionID); err != nil {
			return err
		}
		return v.showProject(http.StatusOK, view{}, data)
	}
	for _, citation := range data.Answer.Citations[:min(len(data.Answer.Citations), 10)] {
		cited, err := v.api.Projects.GetProjectCitation(v.Context(), id, citation)
		if err != nil {
			return err
		}
		data.Citations = append(data.Citations, cited.Data)
	}
	return v.showProject(http.StatusOK, view{}, data)
}

// passages are what the latest answer of a conversation rests on.
func (v *visit) passages(conversation string) ([]platform.TalkPassage, error) {
	got, err := v.api.Platform.GetAccountConversation(v.Context(), conversation, &platform.GetAccountConversationParams{})
	if err != nil || len(got.Messages) == 0 {
		return nil, err
	}
	return got.Messages[len(got.Messages)-1].Passages, nil
}
