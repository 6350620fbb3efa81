package extract

import (
	"bytes"
	"errors"

	"github.com/xuri/excelize/v2"
)

// readXLSX writes each sheet as a heading and a table, numbers and dates as they
// are shown.
func (a *archive) readXLSX(in input, b *builder) error {
	if err := a.properties(b); err != nil {
		return err
	}
	f, err := excelize.OpenReader(bytes.NewReader(in.content), excelize.Options{
		UnzipSizeLimit: totalBytesMax, UnzipXMLSizeLimit: totalBytesMax, // equal: nothing goes to a temporary file
	})
	if errors.Is(err, excelize.ErrWorkbookFileFormat) || err != nil {
		return damaged(err)
	}
	defer func() { _ = f.Close() }() // only memory is given back
	sheets := f.GetSheetList()
	if len(sheets) > in.Limits.PagesMax {
		return refuse("The workbook has more than the %d sheets that are read.", in.Limits.PagesMax)
	}
	for _, sheet := range sheets {
		if shown, err := f.GetSheetVisible(sheet); err == nil && !shown {
			continue
		}
		if err := readSheet(f, sheet, b); err != nil {
			return err
		}
	}
	return nil
}

func readSheet(f *excelize.File, sheet string, b *builder) error {
	rows, err := f.Rows(sheet)
	if err != nil {
		return nil // a chart, not a table
	}
	defer func() { _ = rows.Close() }()
	var table [][]string
	size := 0
	for rows.Next() {
		row, err := rows.Columns()
		if err != nil {
			return damaged(err)
		}
		for _, cell := range row {
			size += len(cell) + 3
		}
		if size > b.bytesMax {
			b.full = true
			return nil
		}
		table = append(table, row)
	}
	if len(table) > 0 {
		b.add(Heading, 2, sheet)
		b.table(table)
	}
	return rows.Error()
}
