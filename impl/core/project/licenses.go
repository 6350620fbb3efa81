package project

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// licensesMax is how many licenses a project may have.
const licensesMax = 1000

// licensePrefix begins the keys of licenses.
const licensePrefix = "parley_lic_"

func missingLicense(err error, licenseID int64) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "License with id %d not found", licenseID)
	}
	return err
}

// Licenses lists the licenses of a project, the newest first.
func (s *Service) Licenses(ctx context.Context, accountID string, projectID int64) ([]db.ProjectLicense, error) {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return nil, err
	}
	return s.DB.ProjectLicenses(ctx, accountID, projectID, licensesMax)
}

// AddLicense makes a license of a project and returns it with its key, of which
// only a digest is kept. A project that allows none is a Forbidden fault, one too many Invalid.
func (s *Service) AddLicense(ctx context.Context, accountID string, projectID int64, name string) (db.ProjectLicense, string, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return db.ProjectLicense{}, "", err
	}
	if !p.Licensed {
		return db.ProjectLicense{}, "", fault.New(fault.Forbidden, "The project allows no licenses: set are_licenses_allowed.")
	}
	all, err := s.DB.ProjectLicenses(ctx, accountID, projectID, licensesMax)
	if err != nil {
		return db.ProjectLicense{}, "", err
	}
	if len(all) == licensesMax {
		return db.ProjectLicense{}, "", fault.New(fault.Invalid, "A project has at most %d licenses.", licensesMax)
	}
	text := licensePrefix + strings.ToLower(rand.Text()+rand.Text())
	digest := sha256.Sum256([]byte(text))
	now := s.Now()
	l := db.ProjectLicense{AccountID: accountID, ProjectID: projectID, ID: id.Number(), Name: name, KeyHash: digest[:], CreatedAt: now, UpdatedAt: now}
	err = s.DB.InsertProjectLicense(ctx, l)
	if errors.Is(err, db.ErrNotFound) {
		return l, "", missing(projectID)
	}
	return l, text, err
}

// License returns a license of a project; any other is a NotFound fault.
func (s *Service) License(ctx context.Context, accountID string, projectID, licenseID int64) (db.ProjectLicense, error) {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return db.ProjectLicense{}, err
	}
	l, err := s.DB.ProjectLicense(ctx, accountID, projectID, licenseID)
	return l, missingLicense(err, licenseID)
}

// licensed returns the license under which somebody may talk to a project: the one whose key was presented, which
// has to be valid; nil without a key, which visitors of a project that allows
// licenses may not come without. Refusals are Forbidden faults.
func (s *Service) licensed(ctx context.Context, caller key.Caller, p db.Project, text string) (*int64, error) {
	if text == "" {
		return nil, visitorNeedsLicense(caller, p)
	}
	digest := sha256.Sum256([]byte(text))
	l, err := s.DB.ProjectLicenseByKey(ctx, p.AccountID, p.ID, digest[:])
	if errors.Is(err, db.ErrNotFound) || err == nil && !p.Licensed {
		return nil, errNoLicense
	}
	return &l.ID, err
}

// visitorNeedsLicense refuses visitors of a project that allows licenses.
func visitorNeedsLicense(caller key.Caller, p db.Project) error {
	if p.Licensed && (caller.Kind == key.Publishable || caller.ByToken) {
		return fault.New(fault.Forbidden, "A license is needed: send its license_key.")
	}
	return nil
}

// useLicense counts conversations that begin and questions under a license; nil is none. One that is gone, or that
// its project allows no more, is a Forbidden fault.
func (s *Service) useLicense(ctx context.Context, p db.Project, licenseID *int64, conversations, queries int) error {
	if licenseID == nil {
		return nil
	}
	if !p.Licensed {
		return errNoLicense
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		return q.CountLicenseUse(ctx, p.AccountID, p.ID, *licenseID, conversations, queries)
	})
	if errors.Is(err, db.ErrNotFound) {
		return errNoLicense
	}
	return err
}

var errNoLicense = fault.New(fault.Forbidden, "The license is not valid.")

// RenameLicense gives a license another name; its key stays.
func (s *Service) RenameLicense(ctx context.Context, accountID string, projectID, licenseID int64, name string) (db.ProjectLicense, error) {
	l, err := s.License(ctx, accountID, projectID, licenseID)
	if err != nil {
		return l, err
	}
	l.Name, l.UpdatedAt = name, s.Now()
	return l, missingLicense(s.DB.RenameProjectLicense(ctx, accountID, projectID, licenseID, name, l.UpdatedAt), licenseID)
}

// RevokeLicense removes a license; its key is worth nothing any more.
func (s *Service) RevokeLicense(ctx context.Context, accountID string, projectID, licenseID int64) error {
	if _, err := s.License(ctx, accountID, projectID, licenseID); err != nil {
		return err
	}
	return s.DB.DeleteProjectLicense(ctx, accountID, projectID, licenseID)
}

// Plugin returns how assistants of others could offer a project; one without a plugin is a NotFound fault.
func (s *Service) Plugin(ctx context.Context, accountID string, projectID int64) (db.ProjectPlugin, error) {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return db.ProjectPlugin{}, err
	}
	p, err := s.DB.ProjectPlugin(ctx, accountID, projectID)
	if errors.Is(err, db.ErrNotFound) {
		return p, fault.New(fault.NotFound, "Plugin of project with id %d not found", projectID)
	}
	return p, err
}

// PutPlugin stores the plugin of a project in place of an earlier one, and returns it.
func (s *Service) PutPlugin(ctx context.Context, p db.ProjectPlugin) (db.ProjectPlugin, error) {
	now := s.Now()
	p.ID, p.CreatedAt, p.UpdatedAt = id.Number(), now, now
	err := s.DB.PutProjectPlugin(ctx, p)
	if errors.Is(err, db.ErrNotFound) {
		return p, missing(p.ProjectID)
	}
	if err != nil {
		return p, err
	}
	return s.Plugin(ctx, p.AccountID, p.ProjectID)
}
