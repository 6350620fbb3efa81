package drawing

// body draws neck, shoulders and what covers them.
func (s *sheet) body(p person) {
	y := p.mid() + 138 // of the shoulders
	s.shoulders(p, y)
	s.inked(p.cloth)
	s.DrawRoundedRectangle(p.cx-36, p.mid()+50, 72, 112, 26)
	s.inked(darker(p.skin, 0.1))
	switch p.clothes {
	case "suit", "coat", "uniform":
		s.lapels(p, y)
	case "hoodie":
		s.hood(p, y)
	case "armor":
		s.plates(p, y)
	case "robe":
		s.collar(p, y, 78)
	case "dress":
		s.MoveTo(p.cx-76, y+6)
		s.QuadraticTo(p.cx, y+110, p.cx+76, y+6)
		s.lined(darker(p.skin, 0.03), s.line)
	case "sweater":
		s.DrawRoundedRectangle(p.cx-48, y-30, 96, 46, 16)
		s.inked(lighter(p.cloth, 0.18))
	default:
		s.MoveTo(p.cx-52, y+4)
		s.QuadraticTo(p.cx, y+54, p.cx+52, y+4)
		s.inked(p.skin)
	}
}

func (s *sheet) shoulders(p person, y float64) {
	s.MoveTo(p.cx-196, s.h+20)
	s.CubicTo(p.cx-196, y+36, p.cx-130, y+26, p.cx-54, y)
	s.LineTo(p.cx+54, y)
	s.CubicTo(p.cx+130, y+26, p.cx+196, y+36, p.cx+196, s.h+20)
	s.ClosePath()
}

func (s *sheet) lapels(p person, y float64) {
	s.polygon(p.cx-46, y-4, p.cx+46, y-4, p.cx, s.h+10)
	s.inked(hex(0xf6f4ee))
	if p.clothes == "suit" && !s.words.any("dress") || s.words.has("tie") {
		tie := one(s, fabrics)
		if c, ok := s.words.coloured("tie"); ok {
			tie = c
		}
		s.polygon(p.cx-13, y+22, p.cx+13, y+22, p.cx+8, y+42, p.cx-8, y+42)
		s.inked(tie)
		s.polygon(p.cx-8, y+42, p.cx+8, y+42, p.cx+20, s.h+6, p.cx-20, s.h+6)
		s.inked(tie)
	}
	for _, side := range []float64{-1, 1} {
		s.polygon(p.cx+side*46, y-14, p.cx+side*84, y+28, p.cx+side*62, y+54, p.cx+side*8, s.h+12, p.cx+side*30, y+40)
		s.inked(darker(p.cloth, 0.12))
	}
	if p.clothes == "uniform" {
		for i := range 3 {
			s.DrawCircle(p.cx-118+float64(i)*18, y+80, 7)
			s.lined(hex(0xe9c04a), 2)
		}
	}
}

func (s *sheet) hood(p person, y float64) {
	s.MoveTo(p.cx-104, y+22)
	s.CubicTo(p.cx-96, y-50, p.cx-40, y-10, p.cx, y+44)
	s.CubicTo(p.cx+40, y-10, p.cx+96, y-50, p.cx+104, y+22)
	s.CubicTo(p.cx+60, y+70, p.cx-60, y+70, p.cx-104, y+22)
	s.inked(lighter(p.cloth, 0.14))
	for _, side := range []float64{-1, 1} {
		s.DrawLine(p.cx+side*22, y+52, p.cx+side*24, y+98)
		s.stroke(hex(0xf4f1ea), 5)
	}
}

func (s *sheet) plates(p person, y float64) {
	for _, side := range []float64{-1, 1} {
		s.DrawEllipse(p.cx+side*140, y+58, 66, 52)
		s.inked(lighter(p.cloth, 0.25))
		s.DrawEllipse(p.cx+side*140, y+58, 40, 30)
		s.stroke(alpha(ink, 130), 3)
	}
	s.collar(p, y, 46)
	s.DrawLine(p.cx, y+56, p.cx, s.h)
	s.stroke(alpha(ink, 150), 3)
}

func (s *sheet) collar(p person, y, wide float64) {
	s.polygon(p.cx-wide, y-36, p.cx-30, y+16, p.cx, y+62, p.cx+30, y+16, p.cx+wide, y-36, p.cx+wide+24, y+30, p.cx, y+112, p.cx-wide-24, y+30)
	s.inked(lighter(p.cloth, 0.2))
}

// extras are glasses, hats and the like.
func (s *sheet) extras(p person) {
	v, y := s.words, p.mid()
	switch {
	case v.has("sunglass"):
		s.glasses(p, true)
	case v.any("glass", "spectacle", "eyeglass", "nerd", "librarian", "professor"):
		s.glasses(p, false)
	}
	if v.any("earring", "jewelry") {
		for _, side := range []float64{-1, 1} {
			s.DrawCircle(p.cx+side*96, y+38, 8)
			s.lined(hex(0xe9c04a), 2.5)
		}
	}
	if v.has("headphone") {
		s.DrawArc(p.cx, y-10, 112, 3.3, 6.12)
		s.stroke(ink, 16)
		for _, side := range []float64{-1, 1} {
			s.DrawRoundedRectangle(p.cx+side*108-18, y-26, 36, 66, 14)
			s.inked(hex(0x3b4252))
		}
	}
	if v.any("robot", "android") {
		s.DrawLine(p.cx, p.top-10, p.cx, p.top-52)
		s.stroke(ink, 7)
		s.DrawCircle(p.cx, p.top-60, 13)
		s.inked(hex(0xe4484f))
	}
	s.hat(p)
}

func (s *sheet) glasses(p person, dark bool) {
	y, fill := p.mid(), alpha(hex(0xffffff), 60)
	if dark {
		fill = hex(0x241f2b)
	}
	for _, side := range []float64{-1, 1} {
		s.DrawRoundedRectangle(p.cx+side*39-31, y-24, 62, 47, 18)
		s.lined(fill, 5.5)
		s.DrawLine(p.cx+side*70, y-8, p.cx+side*92, y-12)
		s.stroke(ink, 5)
	}
	s.DrawLine(p.cx-9, y-6, p.cx+9, y-6)
	s.stroke(ink, 5)
}

func (s *sheet) hat(p person) {
	v, y, cx := s.words, p.mid(), p.cx
	c := darker(p.cloth, 0.1)
	if named, ok := v.coloured("hat", "cap", "helmet", "beret"); ok {
		c = named
	}
	switch {
	case v.any("crown", "king", "queen", "princess", "prince"):
		s.polygon(cx-74, y-84, cx-84, y-156, cx-40, y-116, cx, y-170, cx+40, y-116, cx+84, y-156, cx+74, y-84)
		s.inked(hex(0xf0c245))
		for i := range 3 {
			s.DrawCircle(cx-44+float64(i)*44, y-98, 8)
			s.lined(one(s, fabrics), 2.5)
		}
	case v.any("wizard", "witch"):
		s.polygon(cx-66, y-78, cx+8, y-236, cx+66, y-78)
		s.inked(c)
		s.DrawEllipse(cx, y-76, 132, 24)
		s.inked(c)
	case v.any("hat", "cowboy", "detective", "farmer"):
		s.DrawRoundedRectangle(cx-76, y-160, 152, 92, 30)
		s.inked(c)
		s.DrawEllipse(cx, y-72, 142, 22)
		s.inked(c)
		s.DrawRectangle(cx-75, y-102, 150, 16)
		s.filled(ink)
	case v.any("cap", "police", "pilot", "captain", "baseball"):
		s.MoveTo(cx-98, y-66)
		s.CubicTo(cx-96, y-168, cx+96, y-168, cx+98, y-66)
		s.ClosePath()
		s.inked(c)
		s.DrawEllipse(cx, y-64, 112, 15)
		s.inked(darker(c, 0.25))
	case v.any("helmet", "astronaut", "knight"):
		s.DrawArc(cx, y-10, 128, 3.0, 6.42)
		s.stroke(hex(0xdfe5ea), 22)
		s.DrawArc(cx, y-10, 140, 3.0, 6.42)
		s.stroke(ink, 4)
	}
}
