"""Cards: an insight as a picture of its own, for other pages and chats."""
