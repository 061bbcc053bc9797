-- The model is the operator's choice: no guild setting names a preset.
ALTER TABLE guild DROP COLUMN preset;
