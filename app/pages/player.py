"""The player inside the window, for where Qt's multimedia libraries are installed (an extra).

It plays from our own gateway only, while the file still arrives, and seeks. Without the libraries
``make_player`` returns None and films go to a player of the system (``app.player``).
"""

from __future__ import annotations

import importlib
from typing import Any

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.button import Button, Look
from app.widgets.label import ElidedLabel, Label
from bitcloud_net.api import Entry

SEEK_STEP_MS = 10_000
VOLUME_STEPS = 100


def clock_text(milliseconds: int) -> str:
    """Return a position such as ``1:22:36`` or ``0:07``."""
    seconds = max(0, milliseconds) // 1000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    tail = f"{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return f"{hours}:{tail}" if hours else tail


def make_player(theme: Theme) -> PlayerPage | None:
    """Return the player page, or None where Qt's multimedia libraries are missing."""
    try:
        multimedia = importlib.import_module("PySide6.QtMultimedia")
        widgets = importlib.import_module("PySide6.QtMultimediaWidgets")
    except ImportError:
        return None
    return PlayerPage(theme, multimedia, widgets)


class PlayerPage(QWidget):
    """Picture, play and pause, position, volume. Emits ``closed`` and ``failed``.

    ``multimedia`` and ``widgets`` are Qt's modules, handed in because they may not exist.
    """

    closed = Signal()
    failed = Signal(object)  # the QUrl that could not be played

    def __init__(self, theme: Theme, multimedia: Any, widgets: Any) -> None:
        super().__init__()
        self._url = QUrl()
        self._states = multimedia.QMediaPlayer.PlaybackState
        self._player = multimedia.QMediaPlayer(self)
        self._sound = multimedia.QAudioOutput(self)
        self._picture = widgets.QVideoWidget(self)
        self._player.setAudioOutput(self._sound)
        self._player.setVideoOutput(self._picture)
        self._title = ElidedLabel(role="heading")
        self._time = Label("0:00", role="small")
        self._play = Button(theme, self.tr("Pause"), icon="pause", icon_only=True)
        self._close = Button(
            theme, self.tr("Close (Esc)"), icon="dismiss", look=Look.GHOST, icon_only=True
        )
        self._seek = self._slider(self.tr("Position"))
        self._volume = self._slider(self.tr("Volume"))
        self._volume.setRange(0, VOLUME_STEPS)
        self._volume.setMaximumWidth(120)
        self._build()
        self._connect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def _slider(self, name: str) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setAccessibleName(name)
        return slider

    def _build(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._close)
        controls = QHBoxLayout()
        controls.setSpacing(12)
        controls.addWidget(self._play)
        controls.addWidget(self._seek, 1)
        controls.addWidget(self._time)
        controls.addWidget(Label(self.tr("Volume"), role="small"))
        controls.addWidget(self._volume)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 14, 24, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self._picture, 1)
        column.addLayout(controls)

    def _connect(self) -> None:
        self._close.clicked.connect(self.closed)
        self._play.clicked.connect(self._toggle)
        self._seek.sliderMoved.connect(self._player.setPosition)
        self._volume.valueChanged.connect(lambda value: self._sound.setVolume(value / VOLUME_STEPS))
        self._volume.setValue(70)
        self._player.positionChanged.connect(self._show_position)
        self._player.durationChanged.connect(lambda length: self._seek.setRange(0, length))
        self._player.playbackStateChanged.connect(self._show_state)
        self._player.errorOccurred.connect(lambda *_: self.failed.emit(self._url))

    def play(self, entry: Entry, url: QUrl) -> None:
        """Play a file from an address of our own gateway."""
        self._url = url
        self._title.setText(entry.name)
        self._seek.setValue(0)
        self._player.setSource(url)
        self._player.play()

    def _toggle(self) -> None:
        if self._player.playbackState() == self._states.PlayingState:
            self._player.pause()
        else:
            self._player.play()

    def _show_state(self, _state: object) -> None:
        playing = self._player.playbackState() == self._states.PlayingState
        self._play.set_icon("pause" if playing else "play")
        self._play.rename(self.tr("Pause") if playing else self.tr("Play"))

    def _show_position(self, position: int) -> None:
        if not self._seek.isSliderDown():
            self._seek.setValue(position)
        self._time.setText(f"{clock_text(position)} / {clock_text(self._player.duration())}")

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop when another page is shown; the connection to the gateway is closed."""
        super().hideEvent(event)
        self._player.stop()
        self._player.setSource(QUrl())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space pauses, the arrows seek ten seconds, Esc closes."""
        step = {Qt.Key.Key_Left: -SEEK_STEP_MS, Qt.Key.Key_Right: SEEK_STEP_MS}.get(
            Qt.Key(event.key())
        )
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() == Qt.Key.Key_Space:
            self._toggle()
        elif step is not None:
            self._player.setPosition(max(0, self._player.position() + step))
        else:
            super().keyPressEvent(event)
