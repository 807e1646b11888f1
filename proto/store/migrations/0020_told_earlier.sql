-- In which mail something was told before this was kept: the link's last one, where that waits still. Written anew it must not
-- lose what it said. That it may say more than it did is the lesser evil.
UPDATE morning_told SET mail_id = (SELECT MAX(mails.mail_id) FROM morning_mails AS mails
    JOIN outbox ON outbox.episode_id = -mails.mail_id AND outbox.state = 'waiting'
    WHERE mails.link_id = morning_told.link_id)
WHERE mail_id IS NULL;
UPDATE links SET list_told_mail = (SELECT MAX(mails.mail_id) FROM morning_mails AS mails
    JOIN outbox ON outbox.episode_id = -mails.mail_id AND outbox.state = 'waiting'
    WHERE mails.link_id = links.link_id)
WHERE list_told_mail IS NULL AND list_told_ms IS NOT NULL;
